#!/usr/bin/env bash
# Finds file names in documents, scripts and comments that do not exist: prints each with its place, and
# exits with 1. A path may start at the top folder, in src/ or in tests/; a name without a folder may be
# that of any file. Links of Markdown are relative to their document.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

git ls-files -co --exclude-standard -- '*.md' '*.h' '*.cc' '*.cu' '*.sh' '*.py' CMakeLists.txt run .ci/run deploy \
  ':!*/fixtures/*' ':!scripts/check_paths.sh' |
  perl -CSD -ne '
    BEGIN {
      # Names that stand for any file, and files of other projects.
      $foreign = qr{(^|[/_])x[_.]|^src/graph/tuning\.cc$|^(build|results)/};
      open my $files, "-|", "git ls-files -co --exclude-standard" or die;
      while (<$files>) {
        chomp;
        m{([^/]+)$};
        $name{$1} = 1;
      }
    }
    chomp(my $file = $_);
    (my $folder = $file) =~ s{[^/]*$}{};
    open my $lines, "<", $file or next;
    while (my $text = <$lines>) {
      if ($file =~ /\.md$/) {
        while ($text =~ /\]\(([^) #]+)[^) ]*\)/g) {
          complain($file, $., $1) unless $1 =~ m{://} || -e "$folder$1";
        }
      }
      ($text) = $text =~ m{//(.*)} if $file =~ /\.(h|cc|cu)$/;
      next unless defined $text;
      while ($text =~ m~(?<![\w./<>\$}*{-])((?:[a-z0-9_]+/)*)([A-Za-z0-9_.-]+\.(?:h|cc|cu|cuh|sh|md|yaml))\b~g) {
        my ($in, $base) = ($1, $2);
        next if "$in$base" =~ $foreign;
        if ($in eq "") {
          complain($file, $., $base) if $base =~ /\.(h|cc|cu|cuh)$/ && !$name{$base};
        } else {
          my ($top) = $in =~ m{^([^/]+)};
          next unless -d $top || -d "src/$top" || -d "tests/$top";
          complain($file, $., "$in$base") unless grep { -e "$_$in$base" } "", "src/", "tests/", $folder;
        }
      }
    }
    sub complain {
      print STDERR "$_[0]:$_[1]: $_[2] does not exist\n";
      $failed = 1;
    }
    END { $? = 1 if $failed }'
