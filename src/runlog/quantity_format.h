#pragma once

// Quantities as people read them, in messages, status lines and pictures.

#include <cstdint>
#include <string>

namespace bertha::runlog {

/// "7,038".
std::string format_count(int64_t count);
/// With a decimal unit: "512 B", "1.23 GB".
std::string format_bytes(double bytes);
/// Three digits, for rates: "98.2", "950", "12.3k", "4.56M".
std::string format_rate(double per_second);
/// "48 s", "2 min 5 s", "3 h 20 min", "2 d 4 h". A negative duration reads as "0 s".
std::string format_duration(double seconds);

}  // namespace bertha::runlog
