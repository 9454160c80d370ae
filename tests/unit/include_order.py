# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Who may include whom: the order of the folders, as one table.

A folder may include itself and what stands in its row, folders or single headers. What is not in the table is free:
main.cc, bench/ and tests/ use everything. Where a file runs against the order today, EXCEPTIONS has it with its
reason; whoever mends it deletes the line, and a line that nobody needs any more is an error too.
"""

import re

MAY_INCLUDE = {
    'include': [],

    # packet ← flow ← port ← worker
    'dataplane/packet': ['include'],
    'dataplane/flow': ['include', 'dataplane/packet'],
    'dataplane/port': ['include', 'dataplane/packet', 'dataplane/flow'],
    'dataplane/worker': ['include', 'dataplane/packet', 'dataplane/flow', 'dataplane/port'],
    'dataplane/offload': ['include', 'dataplane/packet', 'dataplane/flow', 'dataplane/port'],

    # config ← policy ← fleet, trace, commands ← telemetry ← the control loop
    'controlplane/config': ['include'],
    'controlplane/policy': ['include', 'controlplane/config', 'hypervisor/driver.h'],
    'controlplane/fleet': ['include', 'controlplane/config', 'controlplane/policy', 'hypervisor/driver.h'],
    'controlplane/trace': ['include', 'controlplane/config', 'controlplane/policy'],
    'controlplane/commands': ['include', 'controlplane/config', 'controlplane/policy'],
    'controlplane/telemetry': ['include', 'controlplane/config', 'controlplane/policy', 'controlplane/fleet',
                               'controlplane/trace', 'controlplane/commands', 'hypervisor/driver.h'],
    'controlplane': ['include', 'controlplane/config', 'controlplane/policy', 'controlplane/fleet',
                     'controlplane/trace', 'controlplane/commands', 'controlplane/telemetry', 'hypervisor/driver.h'],

    # In the daemon: process ← kvm, qemu. The VMM's process shares the messages with the daemon and nothing else.
    'hypervisor': ['include'],
    'hypervisor/fake': ['include', 'hypervisor'],
    'hypervisor/process': ['include', 'hypervisor'],
    'hypervisor/qemu': ['include', 'hypervisor', 'hypervisor/process'],
    'hypervisor/kvm': ['include', 'hypervisor', 'hypervisor/process', 'hypervisor/kvm_api',
                       'hypervisor/vmm_messages'],
    'hypervisor/kvm_api': ['include'],
    'hypervisor/vmm_messages': ['include', 'hypervisor/vm_exit.h'],
    'hypervisor/vmm': ['include', 'hypervisor/vm_exit.h', 'hypervisor/kvm_api', 'hypervisor/vmm_messages',
                       'unikernel/abi.h'],

    'unikernel': [],
    'tools': ['include', 'controlplane/config', 'controlplane/policy', 'controlplane/trace'],
}

# Headers of include/ that a folder must do without all the same.
MUST_NOT_INCLUDE = {
    'hypervisor/vmm': ['log.h', 'config.h'],
    'hypervisor/vmm_messages': ['log.h', 'config.h'],
    'hypervisor/kvm_api': ['log.h', 'config.h'],
    'dataplane/packet': ['log.h'],
    'dataplane/flow': ['log.h'],
    'dataplane/worker': ['log.h'],
}

EXCEPTIONS = {
    ('dataplane/port/eal.cc', 'dataplane/worker/hand_over.h'): 'the pool is sized for what the rings can hold',
    ('controlplane/config/config_policies.cc', 'controlplane/policy/policy_lint.h'):
        'the check of a config says what the policies in it would do',
    ('controlplane/config/config_policies.cc', 'controlplane/policy/policy_kind.h'):
        'which keys a policy has is its kind\'s to say',
    ('controlplane/config/policy_words.cc', 'controlplane/policy/policy_kind.h'): 'the same',
    ('controlplane/config/policy_words.h', 'controlplane/policy/decision_words.h'):
        'the words of decisions and of policies are read together',
    ('controlplane/policy/service_meter.h', 'controlplane/fleet/instance.h'): 'measures a service by its instances',
    ('controlplane/fleet/admission_rules_book.cc', 'dataplane/packet/http_refusal.h'):
        'the answer to the refused is made here, and sent as it is by the worker',
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def _folder(path):
    return path.rpartition('/')[0]


def _full(header):
    """Headers of include/ are included by their bare name, all others by their path from the top."""
    return header if '/' in header else 'include/' + header


def _is_allowed(path, header):
    folder, target = _folder(path), _full(header)
    if header in MUST_NOT_INCLUDE.get(folder, []):
        return False
    return _folder(target) in [folder, *MAY_INCLUDE[folder]] or target in MAY_INCLUDE[folder]


def includes_against_the_order(path, text):
    """(line number, header) of each include that the table forbids, exceptions left out of account."""
    if _folder(path) not in MAY_INCLUDE or not path.endswith(('.cc', '.h')):
        return
    for number, line in enumerate(text.split('\n'), 1):
        found = INCLUDE.match(line)
        if found and not _is_allowed(path, found.group(1)):
            yield number, found.group(1)


def includes_keep_the_order(path, text):
    """The rule for style_test.py."""
    for number, header in includes_against_the_order(path, text):
        if (path, header) not in EXCEPTIONS:
            yield number, f'"{header}" included against the order of tests/unit/include_order.py'


def has_a_row(path):
    """Whether somebody thought about this C++ file's folder: each has its row, or is free to include everything."""
    return _folder(path) in ['', *MAY_INCLUDE] or path.startswith(('bench/', 'tests/'))
