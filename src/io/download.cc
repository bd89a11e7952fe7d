#include "io/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "core/error.h"
#include "io/archive/digest.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "io/file_status.h"

// A server may cut the connection, stall, redirect, change the file, or send a wrong length. Bytes
// of an earlier answer are kept only if the new answer is a 206 that begins exactly after them, has
// the same total length, and was requested with If-Range.

namespace bertha::io {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int64_t kMostWaitMs = 60000;
constexpr std::chrono::milliseconds kStopInterval{100};
constexpr int64_t kHttpOk = 200;
constexpr int64_t kHttpPartial = 206;
constexpr int64_t kHttpBadRange = 416;

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) {
    text.remove_suffix(1);
  }
  return text;
}

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

/// The relevant headers of one answer.
struct Answer {
  int64_t status = 0;
  std::string validator;  ///< strong entity tag, else modification time
  std::optional<int64_t> length;
  std::optional<int64_t> range_begin;  ///< of Content-Range
  std::optional<int64_t> range_total;

  /// Reads one header line. A status line begins a new answer, for example after a redirect.
  void add(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      *this = {};
      const size_t blank = line.find(' ');
      if (blank != std::string_view::npos) status = number(line.substr(blank + 1, 3)).value_or(0);
      return;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string name = lower(line.substr(0, colon));
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (name == "etag" && value.starts_with('"')) validator = value;
    if (name == "last-modified" && validator.empty()) validator = value;
    if (name == "content-length") length = number(value);
    if (name == "content-range") add_range(value);
  }

  /// Parses "bytes 5-9/10", "bytes 5-9/*" or "bytes */10".
  void add_range(std::string_view value) {
    if (!value.starts_with("bytes ")) return;
    value.remove_prefix(6);
    const size_t slash = value.find('/');
    if (slash == std::string_view::npos) return;
    range_total = number(value.substr(slash + 1));
    range_begin = number(value.substr(0, value.find('-')));
  }
};

/// An incomplete file on the disk, and its origin.
class Part {
 public:
  Part(std::string path, std::string url)
      : path_(std::move(path)), notes_path_(path_ + ".from"), url_(std::move(url)) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0) fail("{}: cannot write: {}", path_, std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      ::close(descriptor_);
      fail("{}: another process is downloading it", path_);
    }
    size_bytes_ = ::lseek(descriptor_, 0, SEEK_END);
    read_notes();
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  ~Part() { ::close(descriptor_); }

  int64_t size_bytes() const { return size_bytes_; }
  int64_t total_bytes() const { return total_bytes_; }  ///< 0: unknown
  const std::string& validator() const { return validator_; }

  /// Empties the part, which now holds the beginning of the file that `answer` describes.
  void restart(const Answer& answer) {
    if (::ftruncate(descriptor_, 0) != 0) fail_with("cannot be emptied");
    size_bytes_ = 0;
    validator_ = answer.validator;
    total_bytes_ = answer.length.value_or(0);
    io::write_file(notes_path_, fmt::format("{}\n{}\n{}\n", url_, validator_, total_bytes_));
  }
  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), size_bytes_);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail_with("cannot write");
      size_bytes_ += written;
      bytes.remove_prefix(static_cast<size_t>(written));
    }
  }
  void remove() {
    std::error_code ignored;
    fs::remove(path_, ignored);
    fs::remove(notes_path_, ignored);
  }
  /// Renames the part to its final name.
  void publish(const std::string& name) {
    if (::fsync(descriptor_) != 0) fail_with("cannot be flushed");
    std::error_code error;
    fs::rename(path_, name, error);
    if (error) fail("{}: cannot be renamed to {}: {}", path_, name, error.message());
    fs::remove(notes_path_, error);
  }

 private:
  /// A part of unknown origin or from another address is not continued.
  void read_notes() {
    std::ifstream notes(notes_path_);
    std::string url;
    std::string total;
    const bool whole = std::getline(notes, url) && std::getline(notes, validator_) &&
                       std::getline(notes, total) && url == url_;
    total_bytes_ = whole ? number(total).value_or(0) : 0;
    if (whole) return;
    validator_.clear();
    size_bytes_ = 0;
  }
  [[noreturn]] void fail_with(const char* what) const {
    fail("{}: {}: {}", path_, what, std::strerror(errno));
  }

  std::string path_;
  std::string notes_path_;
  std::string url_;
  int descriptor_ = -1;
  int64_t size_bytes_ = 0;
  int64_t total_bytes_ = 0;
  std::string validator_;
};

using Curl = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

/// The file of certificate authorities. libcurl knows the place of one distribution; the portable
/// archive has Debian's libcurl and runs on others. SSL_CERT_FILE overrules, as it does in OpenSSL.
/// Null: as libcurl was built.
const char* certificate_authorities() {
  const char* chosen = std::getenv("SSL_CERT_FILE");
  for (const char* file :
       {chosen, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}) {
    if (file != nullptr && access(file, R_OK) == 0) return file;
  }
  return nullptr;
}

Curl make_curl(const std::string& url, const DownloadOptions& options) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  Curl curl(ready == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup);
  if (curl == nullptr) fail("{}: libcurl cannot be set up", url);
  CURL* c = curl.get();
  const bool secure = lower(url).starts_with("https:");
  curl_easy_setopt(c, CURLOPT_URL, url.c_str());
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(c, CURLOPT_MAXREDIRS, static_cast<long>(options.most_redirects));
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_seconds));
  if (const char* file = certificate_authorities()) curl_easy_setopt(c, CURLOPT_CAINFO, file);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "bertha/" BERTHA_VERSION);
  return curl;
}

/// True for a failure that another attempt may overcome.
bool passing(CURLcode code) {
  switch (code) {
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

bool passing(int64_t status) {
  return status == 408 || status == 429 || (status >= 500 && status < 600);
}

/// Throws when the caller wants to stop.
void report(const std::string& url, const Part& part, int64_t new_bytes,
            const std::function<bool(const DownloadProgress&)>& progress) {
  if (progress({part.size_bytes(), part.total_bytes(), new_bytes})) return;
  fail("{}: stopped; the same command goes on", url);
}

/// One request, whose answer is written to a part.
class Transfer {
 public:
  Transfer(const std::string& url, Part& part, const DownloadOptions& options, bool has_digest,
           const std::function<bool(const DownloadProgress&)>& progress, int64_t& new_bytes)
      : url_(url),
        part_(part),
        options_(options),
        progress_(progress),
        new_bytes_(new_bytes),
        curl_(make_curl(url, options)) {
    // Without a validator the two answers may be two versions; only a checksum at the end detects
    // that.
    offset_ = part.validator().empty() && !has_digest ? 0 : part.size_bytes();
  }

  /// Returns true when the part is complete. Returns false with a `reason` when another attempt
  /// makes sense. Throws Error otherwise.
  bool run(std::string& reason) {
    CURL* c = curl_.get();
    curl_slist* fields = nullptr;
    if (offset_ > 0) {
      curl_easy_setopt(c, CURLOPT_RANGE, fmt::format("{}-", offset_).c_str());
      if (!part_.validator().empty()) {
        fields = curl_slist_append(fields, ("If-Range: " + part_.validator()).c_str());
      }
    }
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> guard(fields,
                                                                            curl_slist_free_all);
    std::array<char, CURL_ERROR_SIZE> text{};
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, text.data());
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, this);
    const CURLcode code = curl_easy_perform(c);
    unknown_host_ = code == CURLE_COULDNT_RESOLVE_HOST;
    if (failure_) std::rethrow_exception(failure_);
    reason = text[0] != 0 ? text.data() : curl_easy_strerror(code);
    return judge(code, reason);
  }

  /// After a failed run(): whether the host has no address.
  bool unknown_host() const { return unknown_host_; }

 private:
  bool judge(CURLcode code, std::string& reason) {
    const bool refused = answer_.status >= 300;
    if (stalled_) {
      reason =
          fmt::format("nothing came for {:.1f} s", static_cast<double>(options_.stall_ms) / 1000);
      return false;
    }
    if (answer_.status == kHttpBadRange) {
      if (answer_.range_total == part_.size_bytes()) return true;
      part_.restart({});
      reason = "the server's file is shorter than what was read of it";
      return false;
    }
    if (refused && code == CURLE_WRITE_ERROR) code = CURLE_OK;  // the body was not wanted
    if (code != CURLE_OK) {
      if (passing(code)) return false;
      fail("{}: {}", url_, reason);
    }
    if (refused) {
      reason = fmt::format("the server answers with status {}", answer_.status);
      if (passing(answer_.status)) return false;
      fail("{}: {}", url_, reason);
    }
    if (!begun_) begin();  // the answer had no body
    if (part_.total_bytes() > 0 && part_.size_bytes() != part_.total_bytes()) {
      reason = fmt::format("{} bytes came of {}", part_.size_bytes(), part_.total_bytes());
      return false;
    }
    return true;
  }

  /// All headers are read: the body is a new file or the requested range.
  void begin() {
    begun_ = true;
    if (answer_.status == kHttpPartial && offset_ > 0) {
      const bool joins =
          answer_.range_begin == offset_ && (part_.total_bytes() == 0 || !answer_.range_total ||
                                             *answer_.range_total == part_.total_bytes());
      if (joins && offset_ == part_.size_bytes()) return;
      part_.restart({});
      fail(
          "{}: asked for bytes from {} of {}, the server gives bytes from {} of {}; the part is "
          "dropped",
          url_, offset_, part_.total_bytes(), answer_.range_begin.value_or(-1),
          answer_.range_total.value_or(-1));
    }
    if (answer_.status != kHttpOk) {
      fail("{}: the server answers with status {}", url_, answer_.status);
    }
    part_.restart(answer_);
    if (part_.total_bytes() > options_.most_bytes) {
      fail("{}: {} bytes, more than {}", url_, part_.total_bytes(), options_.most_bytes);
    }
  }

  size_t body(std::string_view bytes) {
    last_byte_ = Clock::now();
    if (answer_.status >= 300) return 0;
    if (!begun_) begin();
    part_.append(bytes);
    new_bytes_ += static_cast<int64_t>(bytes.size());
    const int64_t most = part_.total_bytes() > 0 ? part_.total_bytes() : options_.most_bytes;
    if (part_.size_bytes() > most) {
      part_.restart({});
      fail("{}: more than the {} bytes announced", url_, most);
    }
    return bytes.size();
  }

  static size_t on_header(char* data, size_t size, size_t count, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    transfer->last_byte_ = Clock::now();
    transfer->answer_.add(trimmed({data, size * count}));
    return size * count;
  }
  /// Exceptions must not pass through libcurl.
  static size_t on_body(char* data, size_t size, size_t count, void* object) {
    auto* self = static_cast<Transfer*>(object);
    try {
      return self->body({data, size * count});
    } catch (...) {
      self->failure_ = std::current_exception();
      return 0;
    }
  }
  static int on_progress(void* object, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto* self = static_cast<Transfer*>(object);
    try {
      const auto quiet = Clock::now() - self->last_byte_;
      self->stalled_ = quiet > std::chrono::milliseconds(self->options_.stall_ms);
      if (self->stalled_) return 1;
      report(self->url_, self->part_, self->new_bytes_, self->progress_);
      return 0;
    } catch (...) {
      if (!self->failure_) self->failure_ = std::current_exception();
      return 1;
    }
  }

  const std::string& url_;
  Part& part_;
  const DownloadOptions& options_;
  const std::function<bool(const DownloadProgress&)>& progress_;
  int64_t& new_bytes_;
  Curl curl_;
  int64_t offset_ = 0;
  Answer answer_;
  bool begun_ = false;
  bool stalled_ = false;
  bool unknown_host_ = false;
  Clock::time_point last_byte_ = Clock::now();
  std::exception_ptr failure_;
};

/// Waits before the next attempt; the caller may still stop.
void wait(int64_t wait_ms, const std::string& url, const Part& part, int64_t new_bytes,
          const std::function<bool(const DownloadProgress&)>& progress) {
  const auto end = Clock::now() + std::chrono::milliseconds(wait_ms);
  while (Clock::now() < end) {
    report(url, part, new_bytes, progress);
    std::this_thread::sleep_until(std::min(end, Clock::now() + kStopInterval));
  }
}

void fetch(const std::string& url, const std::string& path, Part& part, bool has_digest,
           const DownloadOptions& options,
           const std::function<bool(const DownloadProgress&)>& progress) {
  int64_t new_bytes = 0;
  int64_t furthest = part.size_bytes();
  int64_t wait_ms = options.retry_ms;
  std::string reason;
  for (int64_t attempt = 1;; ++attempt) {
    Transfer transfer(url, part, options, has_digest, progress, new_bytes);
    if (transfer.run(reason)) return;
    if (transfer.unknown_host() && attempt >= options.host_attempts) {
      if (part.size_bytes() == 0) part.remove();
      fail("{}: {}. Without a network: put the file at {}, or give --mirror a folder that has it",
           url, reason, path);
    }
    if (part.size_bytes() > furthest) {  // bytes that were lost and read again are no progress
      furthest = part.size_bytes();
      attempt = 0;
      wait_ms = options.retry_ms;
    }
    if (attempt >= options.attempts) {
      fail("{}: {} ({} attempts in a row brought nothing); the same command goes on", url, reason,
           attempt);
    }
    if (options.retrying) options.retrying(reason, wait_ms);
    wait(wait_ms, url, part, new_bytes, progress);
    wait_ms = std::min(2 * wait_ms, kMostWaitMs);
  }
}

}  // namespace

void download(const std::string& url, const std::string& path, const std::string& expected_digest,
              const DownloadOptions& options,
              const std::function<bool(const DownloadProgress&)>& progress) {
  std::error_code error;
  const bool has_digest = !expected_digest.empty();
  if (is_regular_file(path)) {
    if (!has_digest) return;
    if (file_digest(path, digest_name(expected_digest)) == expected_digest) return;
  }
  make_folder(fs::path(path).parent_path().string());
  Part part(path + ".part", url);
  fetch(url, path, part, has_digest, options, progress);
  if (has_digest) {
    const char* name = digest_name(expected_digest);
    const std::string found = file_digest(path + ".part", name);
    if (found != expected_digest) {
      part.remove();
      fail("{}: {} is {}, expected {}; what came is dropped", url, name, found, expected_digest);
    }
  }
  part.publish(path);
}

std::string download_text(const std::string& url, const DownloadOptions& options,
                          int64_t most_bytes) {
  std::string folder = (fs::temp_directory_path() / "bertha-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) {
    fail("{}: cannot make a folder: {}", folder, std::strerror(errno));
  }
  const std::string path = folder + "/text";
  DownloadOptions small = options;
  small.most_bytes = most_bytes;
  std::error_code ignored;
  try {
    download(url, path, "", small, [](const DownloadProgress&) { return true; });
    std::string text(io::MappedFile(path).text());
    fs::remove_all(folder, ignored);
    return text;
  } catch (...) {
    fs::remove_all(folder, ignored);
    throw;
  }
}

}  // namespace bertha::io
