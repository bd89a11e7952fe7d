#!/usr/bin/env bash
# Checks that includes point downward only: a folder of src/ may include itself and folders of lower
# levels (docs/design/architecture.md). Prints each include that does not, and exits with 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck disable=SC2016
find src -mindepth 2 \( -name '*.cc' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
  xargs -0 awk '
    BEGIN {
      level["core"] = 0
      level["cpython"] = level["io"] = level["backend"] = 1
      level["text"] = level["ops"] = 2
      level["corpus"] = level["comm"] = level["bert"] = level["runlog"] = 3
      level["optim"] = level["dataset"] = 4
      level["tasks"] = level["k8s"] = 5
      level["infer"] = level["prepare"] = 6
      level["train"] = 7
      level["plan"] = level["serve"] = level["doctor"] = 8
      level["cli"] = 9
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
      split(FILENAME, path, "/")
      from = path[2]
      split($0, quoted, "\"")
      split(quoted[2], parts, "/")
      to = parts[1]
      if (from == to) next
      if (!(from in level)) complain("src/" from " has no level; give it one in scripts/check_layers.sh")
      else if (!(to in level)) complain("\"" quoted[2] "\" does not start with a folder of src/")
      else if (level[to] >= level[from]) complain(from " must not include " to)
    }
    function complain(what) {
      printf "%s:%d: %s\n", FILENAME, FNR, what
      failed = 1
    }
    END { exit failed }' >&2

# The name of a source file says alone what the file is for, so no two files share one.
repeated=$(find src -name '*.cc' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' | sed 's|.*/||' |
  sort | uniq -d)
if [[ -n $repeated ]]; then
  printf 'src: two files are named %s\n' $repeated >&2
  exit 1
fi
