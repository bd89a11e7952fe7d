#include "io/archive/digest.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <memory>
#include <vector>

#include "core/error.h"

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
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("{}: cannot read", path);
  Sum sum(name);
  std::vector<char> block(size_t{1} << 20);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
    sum.add(std::as_bytes(std::span(block).first(static_cast<size_t>(file.gcount()))));
  }
  if (file.bad()) fail("{}: cannot read", path);
  return sum.digits();
}

std::string bytes_digest(std::span<const std::byte> bytes, const char* name) {
  Sum sum(name);
  sum.add(bytes);
  return sum.digits();
}

}  // namespace bertha::io
