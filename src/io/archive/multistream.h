#pragma once

// Multistream dumps: bzip2 files of many streams with 100 pages each. Wikimedia publishes an index
// beside them, with lines "<byte>:<page number>:<title>" that give the byte where the page's stream
// begins. With it, threads decompress whole streams and need not search for blocks.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/archive/byte_source.h"

namespace bertha::io {

/// The name that Wikimedia gives the dump's index: "x-index.txt.bz2" for "x.xml.bz2". Returns an
/// empty string when that file does not exist.
std::string find_stream_index(const std::string& dump);

/// Byte offsets, ascending, where the streams of `dump` begin, read from its index (plain, .bz2 or
/// .gz). Throws Error when the index is damaged or does not fit: a stream must begin at every
/// offset that it names.
std::vector<int64_t> read_stream_index(const std::string& index, const std::string& dump,
                                       int64_t threads);

/// Decompresses in parallel the streams that begin at the byte offsets `streams`, and the data
/// before the first one. `bytes` must outlive the source.
std::unique_ptr<ByteSource> open_multistream(std::string_view bytes, std::vector<int64_t> streams,
                                             int64_t threads);

}  // namespace bertha::io
