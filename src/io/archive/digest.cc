#include "io/archive/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>

#include "core/error.h"
#include "io/atomic_file.h"

namespace bertha::io {
namespace {

class Sum {
 public:
  explicit Sum(const char* name) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    const EVP_MD* kind = EVP_get_digestbyname(name);
    if (context_ == nullptr || kind == nullptr ||
        EVP_DigestInit_ex(context_.get(), kind, nullptr) != 1) {
      fail("this system's libcrypto does not offer {}", name);
    }
  }

  void add(std::span<const std::byte> bytes) {
    BERTHA_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string digits() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    BERTHA_CHECK(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) == 1);
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

const char* digest_name(const std::string& expected) {
  BERTHA_CHECK(expected.size() == 32 || expected.size() == 40 || expected.size() == 64);
  if (expected.size() == 32) return "md5";
  return expected.size() == 40 ? "sha1" : "sha256";
}

std::string file_digest(const std::string& path, const char* name) {
  constexpr size_t kBlockBytes = size_t{1} << 20;
  const MappedFile file(path);
  Sum sum(name);
  for (std::span<const std::byte> rest = file.bytes(); !rest.empty();) {
    const auto block = rest.first(std::min(kBlockBytes, rest.size()));
    sum.add(block);
    rest = rest.subspan(block.size());
  }
  return sum.digits();
}

std::string bytes_digest(std::span<const std::byte> bytes, const char* name) {
  Sum sum(name);
  sum.add(bytes);
  return sum.digits();
}

}  // namespace bertha::io
