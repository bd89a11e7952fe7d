#include "serve/http/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <sstream>

#include "core/error.h"
#include "core/strings.h"
#include "io/whole_file.h"

namespace bertha::serve {
namespace {

constexpr size_t kShortest = 8;
constexpr std::string_view kSpace = " \t\r";

std::string trimmed(const std::string& line) {
  const size_t first = line.find_first_not_of(kSpace);
  if (first == std::string::npos) return "";
  return line.substr(first, line.find_last_not_of(kSpace) + 1 - first);
}

void check_mode(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) fail("{}: cannot open the file of API keys", file);
  if ((status.st_mode & S_IWOTH) != 0) {
    fail("{}: everybody may write the file of API keys; expected chmod 600", file);
  }
}

}  // namespace

ApiKeys::ApiKeys(const std::string& file) {
  check_mode(file);
  constexpr int64_t kMostBytes = 1 << 20;
  std::istringstream lines(io::read_whole_file(file, "the file of API keys", kMostBytes));
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::string key = trimmed(line);
    if (key.empty() || key.starts_with('#')) continue;
    if (key.size() < kShortest) {
      fail("{}, line {}: the key is shorter than {} characters", file, number, kShortest);
    }
    digests_.push_back(digest_of(key));
  }
  if (digests_.empty()) fail("{}: the file has no key; expected one on each line", file);
}

bool ApiKeys::allows(std::string_view key) const {
  const Digest sent = digest_of(key);
  unsigned found = 0;
  for (const Digest& digest : digests_) {
    found |= static_cast<unsigned>(CRYPTO_memcmp(digest.data(), sent.data(), sent.size()) == 0);
  }
  return found != 0;
}

std::string_view ApiKeys::sent_key(const HttpHeaders& headers) {
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view authorization = headers.get("Authorization");
  if (lower_ascii(authorization.substr(0, kBearer.size())) == kBearer) {
    return authorization.substr(kBearer.size());
  }
  return headers.get("X-Api-Key");
}

ApiKeys::Digest ApiKeys::digest_of(std::string_view key) {
  Digest digest{};
  if (EVP_Digest(key.data(), key.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    fail("SHA-256 of an API key failed");
  }
  return digest;
}

}  // namespace bertha::serve
