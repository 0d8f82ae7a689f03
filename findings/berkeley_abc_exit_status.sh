#!/usr/bin/env bash
# berkeley-abc 1.01+20221019git70cb339+dfsg-4 of Debian 12. Guess: "berkeley-abc -q COMMANDS" ends with a status other than 0 when a command fails, or at
# least always stops at it. (Second guess, after seeing "read" of a missing file go on: read_blif of a missing file goes on as well. Wrong too.)
# Observed: the status is 0 whatever happens. An unknown command, an unknown option, read_blif of a missing file and "rewrite" before "strash" skip the
# rest of the line; "read" of a missing file, and cec of two circuits that it cannot compare, go on with the next command.
# Why it matters: a recipe is scored on the circuit that was there before. Let each step print, and look for the verdict by its words.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -o APT::Sandbox::User=root download -q berkeley-abc=1.01+20221019git70cb339+dfsg-4 >/dev/null
dpkg -x berkeley-abc_*.deb package
goes_on() {
    status=0
    ./package/usr/bin/berkeley-abc -s -q "$2; echo reached" >output 2>&1 </dev/null || status=$?
    reached=$(grep -c '^reached' output || true)
    echo "berkeley-abc 1.01+20221019git70cb339 | $2 | status $status | next command reached: $reached | $(grep -v -e '^reached' -e Hierarchy output | head -1)"
    [ "$status" = 0 ] && [ "$reached" = "$1" ]
}
goes_on 1 "gen -N 2 -a adder.blif; gen -N 2 -m multiplier.blif"
goes_on 0 "nosuch"
goes_on 0 "read_blif nosuch.blif"
goes_on 0 "read_truth ca; strash; balance -Z"
goes_on 0 "read adder.blif; rewrite"
goes_on 1 "read nosuch.v"
goes_on 1 "cec adder.blif multiplier.blif"
