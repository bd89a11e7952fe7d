#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bertha::io {

/// All bytes of a file that is small: a configuration, a vocabulary, a list of keys. A pipe is read
/// to its end. Throws Error with the system's reason when it cannot be read, and when it has more
/// than `most_bytes`; `what` names it in the message: "a vocabulary".
std::string read_whole_file(const std::string& path, std::string_view what, int64_t most_bytes);

}  // namespace bertha::io
