"""Seeded attacks: damaged files, mistyped commands, endpoints that misbehave, hostile requests to the labelling page.

    python -m tests.fuzz [--part files|commands|endpoints|page] [--seed N] [--cases N] [--full] [--log FILE]

Each case ends in one of these outcomes; the last five are faults of ours, and none may be left:

    refused     a message that names what is wrong, and an exit status that is not 0
    harmless    accepted, and what comes back is right
    wrong       accepted, and what comes back is not what the input says
    traceback   an exception that is no message
    hang        no end within the time limit
    ran         code that a file or a folder named was run
    touched     a file outside the case's own folder was changed, or served
"""
