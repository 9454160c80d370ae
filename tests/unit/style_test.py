#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""The rules of style that a program can check, over every tracked source file.

Each rule looks at one file and yields (line number, what is wrong). At the top stand the exceptions, each with
its reason; a new one is a line here and a thing to talk about in review.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import data_plane_rules  # noqa: E402  (the path comes first)
import include_order  # noqa: E402  (the path comes first)
from tracked_files import TOP, tracked_files  # noqa: E402  (the path comes first)

SOURCE_SUFFIXES = ('.cc', '.h', '.S', '.ld', '.py', '.sh', '.lua', '.build', 'meson_options.txt')
CPP_SUFFIXES = ('.cc', '.h')
LINES_MAX = 400

# The idioms of threads that share memory, each in one file with its proof; everything else goes through them.
ATOMIC_ALLOWED = {
    'include/counter.h': 'single-writer counter',
    'include/doorbell.h': 'wakes a thread that naps',
    'dataplane/worker/event_bell.h': 'wakes a thread that sleeps on descriptors',
    'include/published.h': 'published immutable table',
    'include/spsc_ring.h': 'single-producer single-consumer ring',
    'tests/hypervisor/vhost_peer.cc': 'rings shared with a guest, in another process',
    'hypervisor/vmm/vm.h': 'the ring of coalesced writes, shared with the kernel, not with another thread',
    'unikernel/virtqueue.h': 'rings shared with a device (virtio 1.1 2.6), not with another thread',
}

# Longer than LINES_MAX, and why it reads better in one piece.
LONG_ALLOWED = {
    'tests/pktgen/run_tests.lua': 'one story per script of pktgen-scripts/, each short',
}

# White space that says something.
WHITE_SPACE_ALLOWED = {
    'tests/config/client_exit_codes.sh': 'a line whose command has no arguments',
}


def without_comments_and_strings(text):
    """C++ with comments and literals blanked, lines kept: rules about code do not read prose."""
    def blank(match):
        return re.sub(r'[^\n]', ' ', match.group())
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', blank, text,
                  flags=re.S)


def lines_with(pattern, text, message):
    for number, line in enumerate(text.split('\n'), 1):
        found = re.search(pattern, line)
        if found:
            yield number, message.format(found.group())


def has_licence(path, text):
    if 'SPDX-License-Identifier: BSD-3-Clause' not in '\n'.join(text.split('\n')[:3]):
        yield 1, 'no SPDX-License-Identifier in the first three lines'


def nothing_is_volatile(path, text):
    if path.endswith(CPP_SUFFIXES) and not path.startswith('unikernel/'):
        yield from lines_with(r'\bvolatile\b', without_comments_and_strings(text),
                              '"{}" outside of the unikernel, which drives a device')


def atomics_stay_in_their_files(path, text):
    if path.endswith(CPP_SUFFIXES) and path not in ATOMIC_ALLOWED:
        yield from lines_with(r'\bstd::(atomic|memory_order)\w*|\b__atomic_\w+|\b__sync_\w+|<atomic>',
                              without_comments_and_strings(text),
                              '"{}": use include/counter.h, spsc_ring.h or published.h')


def white_space_is_plain(path, text):
    if path in WHITE_SPACE_ALLOWED:
        return
    yield from lines_with(r'\t', text, 'a tab')
    yield from lines_with(r'[ \r]$', text, 'trailing white space')
    if text and not text.endswith('\n'):
        yield text.count('\n') + 1, 'no end of line at the end'


def fits_into_its_length(path, text):
    count = text.count('\n')
    if count > LINES_MAX and path not in LONG_ALLOWED:
        yield count, f'{count} lines, more than {LINES_MAX}: one file, one noun'


def nothing_is_left_to_do(path, text):
    yield from lines_with(r'\b(TO' r'DO|FIX' r'ME)\b', text, '"{}": do it, or write it where work is planned')


RULES = [has_licence, *data_plane_rules.RULES, nothing_is_volatile, atomics_stay_in_their_files,
         white_space_is_plain, fits_into_its_length, nothing_is_left_to_do, include_order.includes_keep_the_order]


def is_source(path):
    """Code: not documents, pictures, example configs, the corpus of the fuzz targets."""
    if path.startswith('tests/fuzz/corpus/'):
        return False
    if path.endswith(SOURCE_SUFFIXES):
        return True
    with open(TOP / path, 'rb') as file:
        return file.read(2) == b'#!'


def problems_of(path, text):
    return [f'{path}:{line}: {message}' for rule in RULES for line, message in rule(path, text)]


class Style(unittest.TestCase):
    def test_every_source_file_keeps_every_rule(self):
        sources = [path for path in tracked_files() if is_source(path)]
        self.assertGreater(len(sources), 50)
        problems = []
        for path in sources:
            problems += problems_of(path, (TOP / path).read_text(encoding='utf-8'))
        self.assertFalse(problems, '\n' + '\n'.join(problems))

    def test_exceptions_name_files_that_exist(self):
        for path in [*ATOMIC_ALLOWED, *LONG_ALLOWED, *WHITE_SPACE_ALLOWED, *data_plane_rules.ALLOCATES_ALLOWED]:
            self.assertTrue((TOP / path).is_file(), path)

    def test_every_folder_has_its_place_in_the_order_of_includes(self):
        for path in tracked_files():
            if path.endswith(CPP_SUFFIXES):
                self.assertTrue(include_order.has_a_row(path), path)

    def test_exceptions_to_the_order_of_includes_are_needed(self):
        for path, header in include_order.EXCEPTIONS:
            text = (TOP / path).read_text(encoding='utf-8')
            against = [found for _, found in include_order.includes_against_the_order(path, text)]
            self.assertIn(header, against, path)


    def test_every_field_of_a_slot_has_a_writer(self):
        writers = data_plane_rules.slot_writers()
        self.assertGreater(len(writers), 25)
        self.assertLessEqual(set(writers.values()), {*data_plane_rules.PARTS})


class Rules(unittest.TestCase):
    """A rule that finds nothing may be broken itself: each is shown what it must and must not find."""

    GOOD = '// SPDX-License-Identifier: BSD-3-Clause\n'

    def found(self, path, code):
        return [problem.split(': ', 1)[1] for problem in problems_of(path, self.GOOD + code)]

    def test_what_must_be_found(self):
        for path, code in [
                *data_plane_rules.FOUND,
                ('controlplane/x.h', 'volatile int x;\n'),
                ('include/x.h', 'std::atomic<int> x;\n'),
                ('include/x.h', '#include <atomic>\n'),
                ('include/x.h', '\tint x;\n'),
                ('include/x.h', 'int x; \n'),
                ('include/x.h', 'int x;'),
                ('include/x.h', '// TO' 'DO: x\n'),
                ('include/x.h', 'int x;\n' * LINES_MAX),
                ('include/x.h', '#include "dataplane/packet/x.h"\n'),
                ('dataplane/packet/x.h', '#include "dataplane/flow/x.h"\n'),
                ('dataplane/port/x.cc', '#include "dataplane/worker/x.h"\n'),
                ('dataplane/worker/x.cc', '#include "log.h"\n'),
                ('controlplane/policy/x.cc', '#include "controlplane/control_loop.h"\n'),
                ('hypervisor/kvm/x.cc', '#include "hypervisor/vmm/vm.h"\n'),
                ('hypervisor/vmm/x.cc', '#include "hypervisor/kvm/x.h"\n'),
                ('hypervisor/vmm/x.cc', '#include "hypervisor/process/x.h"\n'),
                ('hypervisor/vmm/x.cc', '#include "hypervisor/driver.h"\n'),
                ('hypervisor/vmm/x.cc', '#include "log.h"\n'),
                ('hypervisor/vmm_messages/x.h', '#include "hypervisor/driver.h"\n'),
                ('hypervisor/process/x.cc', '#include "hypervisor/kvm/x.h"\n')]:
            self.assertEqual(len(self.found(path, code)), 1, (path, code[:40]))
        self.assertEqual(len(problems_of('include/x.h', 'int x;\n')), 1)

    def test_what_must_not_be_found(self):
        for path, code in [
                *data_plane_rules.NOT_FOUND,
                ('controlplane/x.h', 'throw 1;\nstd::mutex lock;\n'),
                ('unikernel/x.h', 'asm volatile("hlt");\n'),
                ('include/counter.h', 'std::atomic<int> x;\n'),
                ('dataplane/worker/x.cc', '#include "dataplane/packet/x.h"\n#include "ids.h"\n#include <map>\n'),
                ('hypervisor/vmm/x.cc', '#include "hypervisor/vm_exit.h"\n#include "hypervisor/vmm/x.h"\n'),
                ('hypervisor/vmm/x.cc', '#include "result.h"  // not "log.h"\n'),
                ('hypervisor/kvm/x.cc', '#include "hypervisor/driver.h"\n#include "log.h"\n'),
                ('tests/x.cc', '#include "hypervisor/vmm/x.h"\n#include "hypervisor/kvm/x.h"\n'),
                ('main.cc', '#include "hypervisor/kvm/x.h"\n')]:
            self.assertEqual(self.found(path, code), [], (path, code))


if __name__ == '__main__':
    unittest.main()
