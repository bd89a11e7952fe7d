#!/usr/bin/env bash
# Keeps private words out of comments, string literals and documents (CONTRIBUTING.md, Code): prints
# each place with the term to use instead, and exits with 1. Names of variables are not checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What is checked. CONTRIBUTING.md quotes bad examples on purpose.
readonly clean=(src tests docs fuzz bench scripts deploy README.md CHANGELOG.md SECURITY.md)

git ls-files -z -- "${clean[@]}" ':!scripts/check_words.sh' ':!*/fixtures/*' |
  grep -zE '\.(h|cc|cu|cuh|sh|py|md)$' |
  xargs -0 perl -CSD -ne '
    BEGIN {
      # Text with a listed word that is right there: a term of hardware, a quotation.
      $allowed = qr/network cards?|king heard|tell apart|\{\}cards|1card|--cards|on \{\} cards/;
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
      # All of them at once: most lines have none, and need nothing more.
      my $all = join "|", map { $_->[0] } @words;
      $any = qr/(?<![\w-])(?:$all)(?!\w)/i;
      @words = map { [qr/(?<![\w-])($_->[0])(?!\w)/i, $_->[1]] } @words;
    }
    unless (/$any/) { close ARGV if eof; next }
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
      next unless $text =~ $private;
      print STDERR "$ARGV:$.: \"$1\": say $standard\n";
      $failed = 1;
    }
    close ARGV if eof;
    END { $? = 1 if $failed }' || exit 1
