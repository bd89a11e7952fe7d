#!/usr/bin/env bash
# Includes point downward only. A folder of src/ may include itself, folders of lower levels, and
# what the exceptions allow; see docs/architecture.md. Prints each include that does not, exits 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck disable=SC2016
find src -mindepth 2 \( -name '*.cc' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
  xargs -0 awk '
    BEGIN {
      level["core"] = 0
      level["backend"] = 1
      level["io"] = level["text"] = level["ops"] = level["corpus"] = 2
      level["dataset"] = level["bert"] = level["optim"] = level["comm"] = 3
      level["train"] = level["serve"] = 4
      level["cli"] = 5
      # Neighbours of one level that build on each other.
      allowed["corpus text"] = allowed["corpus io"] = 1
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
      split(FILENAME, path, "/")
      from = path[2]
      split($0, quoted, "\"")
      split(quoted[2], parts, "/")
      to = parts[1]
      if (from == to || allowed[from " " to]) next
      if (!(from in level)) complain("src/" from " has no level; give it one in scripts/check_layers.sh")
      else if (!(to in level)) complain("\"" quoted[2] "\" does not start with a folder of src/")
      else if (level[to] >= level[from]) complain(from " must not include " to)
    }
    function complain(what) {
      printf "%s:%d: %s\n", FILENAME, FNR, what
      failed = 1
    }
    END { exit failed }' >&2
