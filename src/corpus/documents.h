#pragma once

// Documents from the text that people have: books with wrapped lines, paragraphs and chapters,
// notes, and JSON lines. The result has the form of the format stage: one document a line.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bertha::corpus {

/// The documents of a plain text. Lines of a paragraph are joined; a blank line ends it. A document
/// ends at a paragraph's end: before a heading (a short line of its own, or "chapter …") once it
/// has 200 words, and otherwise once it has 1,000. In a text without blank lines every line is a
/// paragraph, unless most lines end in mid-sentence at a similar length: then they are joined.
std::vector<std::string> split_documents(std::string_view text);

/// The files to read: each of `paths` that is a file, and below folders all .txt, .text, .md and
/// .jsonl files, plain or compressed (.gz, .bz2), sorted by path. Throws Error for a path that is
/// not there, and when no file is found.
std::vector<std::string> find_texts(std::span<const std::string> paths);

/// Passes each document of a file to `take`, one line without its end. In a .jsonl file each line
/// is an object whose "text" is a document. Throws Error that names file and line.
void read_documents(const std::string& path, const std::function<void(const std::string&)>& take);

}  // namespace bertha::corpus
