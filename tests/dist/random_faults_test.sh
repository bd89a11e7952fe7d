#!/usr/bin/env bash
# A fault of each kind; random_faults.sh takes as many as one likes.
exec "$(dirname "$0")/random_faults.sh" "$1" "$2" 4
