#pragma once

namespace bertha::io {

/// Whether readers refuse wrong checksums. The builds of fuzz/ do not: a fuzzer would always stop
/// there.
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
constexpr bool kVerifyChecksums = false;
#else
constexpr bool kVerifyChecksums = true;
#endif

}  // namespace bertha::io
