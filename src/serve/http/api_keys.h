#pragma once

// The keys that clients send. The file's keys are kept as SHA-256 alone, and compared without a
// branch that depends on them.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/http_message.h"

namespace bertha::serve {

class ApiKeys {
 public:
  /// Reads a file of one key a line; empty lines and lines that begin with '#' are skipped. Throws
  /// Error if the file has no key, a key of less than 8 characters, or if others may write it. No
  /// message quotes a key.
  explicit ApiKeys(const std::string& file);

  bool allows(std::string_view key) const;
  /// The key of `Authorization: Bearer KEY` or `X-Api-Key: KEY`, allowed or not. Empty without one.
  static std::string_view sent_key(const HttpHeaders& headers);

  size_t size() const { return digests_.size(); }

 private:
  using Digest = std::array<unsigned char, 32>;
  static Digest digest_of(std::string_view key);

  std::vector<Digest> digests_;
};

}  // namespace bertha::serve
