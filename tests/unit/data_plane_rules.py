# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""What the folders of the data plane forbid, because of the thread that runs them.

    everywhere             no exceptions, no RTTI
    packet, flow, worker   the polling thread's: no lock, no log, no sleep; memory is taken at start, in the files that
                           are named below
    port, worker           the only folders with DPDK's headers

And inside of worker/: which part knows which, and who writes which field of a slot. Each rule yields (line number, what
is wrong), as those of style_test.py do.
"""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]

POLLING = ('dataplane/packet/', 'dataplane/flow/', 'dataplane/worker/')
WITH_DPDK = ('dataplane/port/', 'dataplane/worker/')

# What allocates under a name that a program can see, and when.
ALLOCATES_ALLOWED = {
    'dataplane/worker/hand_over.h': 'the rings, before the workers',
    'dataplane/worker/worker_group.cc': 'the workers, before they run',
    'dataplane/flow/source_guard.cc': 'its table, in the constructor',
    'dataplane/packet/http_refusal.cc': 'a page is made by the control thread, and sent as it is by the worker',
}

# The parts of a worker: each may include those above it. What is not in the list is used by all and knows none.
PARTS = ['load_report', 'guest_poll', 'egress', 'instance_limits', 'flow_life', 'slots', 'admission', 'cold_start',
         'untracked', 'exchange', 'client_segments', 'guest_segments', 'worker', 'worker_group']

# The parts that do without DPDK's headers, so that a test can do without DPDK.
WITHOUT_DPDK = ('load_report', 'guest_poll', 'instance_limits', 'flow_life', 'slots', 'admission', 'cold_start',
                'untracked', 'client_segments', 'guest_segments')


def _lines(pattern, text, message):
    for number, line in enumerate(text.split('\n'), 1):
        for found in re.finditer(pattern, line):
            yield number, message.format(found.group().strip())


def _code(text):
    """Comments and strings blanked, lines kept."""
    return re.sub(r'//[^\n]*|"(?:\\.|[^"\\\n])*"', lambda match: ' ' * len(match.group()), text)


def _is_cpp(path):
    return path.endswith(('.cc', '.h'))


def no_exceptions(path, text):
    if path.startswith('dataplane/') and _is_cpp(path):
        yield from _lines(r'\bthrow\b|\btry\s*\{|\bdynamic_cast\b', _code(text), '"{}" in the data plane')


def polling_threads_do_not_wait(path, text):
    if path.startswith(POLLING) and _is_cpp(path):
        yield from _lines(r'\bstd::\w*(mutex|lock)\b|\blog::|\bprintf\b|\bstd::c(out|err)\b', _code(text),
                          '"{}" on a polling thread')


def polling_threads_do_not_allocate(path, text):
    if path.startswith(POLLING) and _is_cpp(path) and path not in ALLOCATES_ALLOWED:
        yield from _lines(r'\bnew\s+\w|\b(m|c|re)alloc\b|\bmake_(unique|shared)\b|\bstd::(string|map|deque|function)\b',
                          _code(text), '"{}" on a polling thread: at start, and then in ALLOCATES_ALLOWED')


def dpdk_stays_in_its_folders(path, text):
    if not _is_cpp(path) or not path.startswith('dataplane/'):
        return
    part = pathlib.PurePosixPath(path).stem
    if path.startswith(WITH_DPDK) and not (path.startswith('dataplane/worker/') and part in WITHOUT_DPDK):
        return
    yield from _lines(r'^\s*#include <rte_\w+\.h>', text, '{}: DPDK is for port/ and worker/, and not for each part')


def parts_know_only_those_before(path, text):
    if not path.startswith('dataplane/worker/'):
        return
    part = pathlib.PurePosixPath(path).stem
    if part not in PARTS:
        known = []
    else:
        known = PARTS[:PARTS.index(part) + 1]
    for number, line in enumerate(text.split('\n'), 1):
        found = re.match(r'#include "dataplane/worker/(\w+)\.h"', line)
        if found and found[1] in PARTS and found[1] not in known:
            yield number, f'{part} is not to know {found[1]}: PARTS in tests/unit/data_plane_rules.py'


def slot_writers():
    """Field of a slot → the part that writes it, as the comments of slot.h say."""
    writers, writer = {}, None
    for line in (TOP / 'dataplane/worker/slot.h').read_text(encoding='utf-8').split('\n'):
        named = re.match(r'\s*// writer: (\w+)', line)
        field = re.match(r'  [A-Z\w:*]+ \**(\w+)( = [^;]+)?;', line)
        if named:
            writer = named[1]
        elif field and writer:
            writers[field[1]] = writer
    return writers


def slots_fields_have_one_writer(path, text):
    if not path.startswith('dataplane/worker/') or not _is_cpp(path):
        return
    part = pathlib.PurePosixPath(path).stem
    writers = slot_writers()
    changes = r'(?:\.(?:push|pop|clear)\(|\s*(?:=(?!=)|\+=|-=|\+\+|--))'
    for number, line in enumerate(_code(text).split('\n'), 1):
        for found in re.finditer(rf'(?:\+\+|--)slot\.(\w+)|\bslot\.(\w+){changes}|\]\.(load){changes}', line):
            field = found[1] or found[2] or found[3]
            if field in writers and writers[field] != part:
                yield number, f'slot.{field} is written by {writers[field]} only (slot.h)'


RULES = [no_exceptions, polling_threads_do_not_wait, polling_threads_do_not_allocate, dpdk_stays_in_its_folders,
         parts_know_only_those_before, slots_fields_have_one_writer]

# (path, code): what each must find, once, and what none may find.
FOUND = [
    ('dataplane/port/x.h', 'throw 1;\n'),
    ('dataplane/worker/x.h', 'std::mutex lock;\n'),
    ('dataplane/flow/x.h', 'log::info("x");\n'),
    ('dataplane/flow/x.h', 'auto x = std::make_unique<int>();\n'),
    ('dataplane/worker/x.cc', 'x = new Thing;\n'),
    ('dataplane/flow/x.h', '#include <rte_mbuf.h>\n'),
    ('dataplane/worker/slots.cc', '#include <rte_mbuf.h>\n'),
    ('dataplane/worker/egress.h', '#include "dataplane/worker/slots.h"\n'),
    ('dataplane/worker/slot.h', '#include "dataplane/worker/egress.h"\n'),
    ('dataplane/worker/cold_start.cc', 'slot.ready = true;\n'),
    ('dataplane/worker/slots.cc', '++slot.in_flight;\n'),
    ('dataplane/worker/slots.cc', 'slot.queue.push(packet);\n'),
]
NOT_FOUND = [
    ('dataplane/worker/x.h', '// never a throw, never a std::mutex\nint x = 1;\n'),
    ('dataplane/offload/x.cc', 'std::mutex lock; log::info("x");\n'),
    ('dataplane/worker/egress.cc', '#include <rte_mbuf.h>\n'),
    ('dataplane/worker/slots.cc', 'slot.ready = slot.in_flight == 0;\n'),
    ('dataplane/worker/hand_over.h', 'auto x = std::make_unique<int>();\n'),
    ('dataplane/worker/cold_start.h', '#include "dataplane/worker/slots.h"\n'),
]
