#!/usr/bin/env bash
# A fault of each kind, on a machine that may be busy. random_faults.sh runs any number of faults.
exec "$(dirname "$0")/random_faults.sh" "$1" "$2" 4 1 60
