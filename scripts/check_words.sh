#!/usr/bin/env bash
# Keeps private words out of comments, string literals and documents (CONTRIBUTING.md, Code): prints
# each place with the term to use instead, and exits with 1. Names of variables are not checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Folders and files that are clean. Add a folder when its words are in order; at the end: src tests docs.
readonly clean=(
  src/core src/cpython src/io src/text src/comm src/corpus src/dataset src/tasks
  src/infer src/ops src/optim src/train
  tests/bert tests/cli tests/infer tests/ops tests/optim tests/prepare tests/runlog tests/train
  tests/core tests/cpython tests/io tests/text tests/comm tests/corpus tests/dataset tests/tasks
  tests/support tests/parity
  tests/dist
  fuzz bench scripts docs deploy src/cli README.md CHANGELOG.md SECURITY.md
)

git ls-files -z -- "${clean[@]}" ':!scripts/check_words.sh' ':!*/fixtures/*' |
  grep -zE '\.(h|cc|cu|cuh|sh|py|md)$' |
  xargs -0 perl -CSD -ne '
    BEGIN {
      # Text with a listed word that is right there: a term of hardware, a quotation.
      $allowed = qr/network cards?|king heard/;
      # A word, as a regular expression, and the term to use instead.
      @words = (
        ["cards?", "GPU"],
        ["check sums?", "checksum"],
        ["told|tells?", "reported, states, or a verb that names what happens"],
        ["mend(s|ed|ing)?", "fix"],
        ["spoilt", "damaged or not finite"],
        ["heard", "received"],
        ["shadows? of (the )?weights|shadow weights|bf16 shadows?", "bf16 weights"],
        ["(keys?|queries|scores?|values?|matri(x|ces)|pairs?|panels?) turned", "transposed"],
        ["turned (keys?|queries|scores?|values?|matri(x|ces)|pairs?|panels?)", "transposed"],
        ["shared out|share out", "partitioned"],
        ["is said|are said", "is logged or is reported"],
        ["every so many-th|so many-th", "round-robin"],
        ["foretell|foretold", "predict"],
        ["goes with the|go with the", "is removed with"],
        ["falls? to (this|a|the) rank", "is assigned to"],
        ["all else", "everything else"],
        ["is another.s", "belongs to another"],
        ["tokenised", "tokenized"],
      );
    }
    # The text to check: all of a document, the comments and string literals of a source.
    my $text = $_;
    s/"cards?(-per-node)?"//g;  # names of options
    if ($ARGV !~ /\.md$/) {
      my $strings = join " ", /"((?:\\.|[^"\\])*)"/g;
      (my $code = $_) =~ s/"(?:\\.|[^"\\])*"/""/g;
      my ($comment) = $ARGV =~ /\.(sh|py)$/ ? $code =~ /(?:^|\s)#(.*)/ : $code =~ m{//(.*)};
      $text = $strings . " " . ($comment // "");
      $text = "" if /^\s*#\s*include/;
    }
    $text =~ s/$allowed//gi;
    for my $word (@words) {
      my ($private, $standard) = @$word;
      next unless $text =~ /(?<![\w-])($private)(?!\w)/i;
      print STDERR "$ARGV:$.: \"$1\": say $standard\n";
      $failed = 1;
    }
    close ARGV if eof;
    END { $? = 1 if $failed }' || exit 1
