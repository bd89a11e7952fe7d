#pragma once

// Multistream dumps: bzip2 files of many streams, 100 pages each, beside which Wikimedia publishes
// an index ("<byte>:<page number>:<title>" a line, the byte where the page's stream begins). With
// it threads take whole streams, without a search for blocks and without shifting their bits.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/archive/byte_source.h"

namespace bertha::io {

/// The index that Wikimedia would give the dump's index: "x-index.txt.bz2" for "x.xml.bz2"; empty
/// when there is no such file.
std::string find_stream_index(const std::string& dump);

/// Where the streams of `dump` begin, rising, by its index (plain, .bz2 or .gz). Throws Error when
/// the index is damaged, or does not fit: a stream must begin at every byte that it names.
std::vector<int64_t> read_stream_index(const std::string& index, const std::string& dump,
                                       int64_t threads);

/// Decompresses streams that begin at the bytes `streams`, and what stands before the first, in
/// parallel. `bytes` outlives the source.
std::unique_ptr<ByteSource> open_multistream(std::string_view bytes, std::vector<int64_t> streams,
                                             int64_t threads);

}  // namespace bertha::io
