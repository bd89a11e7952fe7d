#include "serve/http/request_reader.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "serve/http/request_policy.h"

namespace bertha::serve {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

/// A chunk's line, and the empty line behind the last chunk, beside the extension.
constexpr int64_t kChunkLine = 32;
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

/// Receives what the library parses. A refusal of our own stops the library with an error.
class Parser : public http::basic_parser<true> {
 public:
  explicit Parser(const HttpLimits& limits) : limits_(limits) {
    header_limit(static_cast<uint32_t>(limits.header_bytes));
    body_limit(static_cast<uint64_t>(limits.body_bytes));
    eager(true);
  }

  RequestHead head;
  std::string target;
  std::string body;
  std::optional<Refusal> refusal;

 private:
  void refuse(std::string message, beast::error_code& error) {
    refusal = Refusal{400, std::move(message)};
    error = http::error::bad_value;
  }

  void on_request_impl(http::verb /*verb*/, beast::string_view method, beast::string_view form,
                       int version, beast::error_code& /*error*/) override {
    head.method = std::string(method);
    target = std::string(form);
    head.minor_version = version % 10;
  }
  void on_response_impl(int /*code*/, beast::string_view /*reason*/, int /*version*/,
                        beast::error_code& /*error*/) override {}
  void on_field_impl(http::field /*name*/, beast::string_view name, beast::string_view value,
                     beast::error_code& error) override {
    if (in_body_) return refuse("a chunked body must have no trailer fields", error);
    head.headers.add(std::string(name), std::string(value));
  }
  // Of Beast from Boost 1.87 on.
  void on_trailer_field_impl(http::field name, beast::string_view name_text,
                             beast::string_view value, beast::error_code& error) {
    on_field_impl(name, name_text, value, error);
  }
  void on_header_impl(beast::error_code& /*error*/) override { in_body_ = true; }
  void on_body_init_impl(const boost::optional<uint64_t>& /*length*/,
                         beast::error_code& /*error*/) override {}
  size_t on_body_impl(beast::string_view bytes, beast::error_code& /*error*/) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(uint64_t /*size*/, beast::string_view extensions,
                            beast::error_code& error) override {
    if (++chunks_ > limits_.chunks) return refuse("the body has too many chunks", error);
    if (std::ssize(extensions) > limits_.chunk_extension_bytes) {
      refuse("the extension of a chunk is too long", error);
    }
  }
  size_t on_chunk_body_impl(uint64_t /*remain*/, beast::string_view bytes,
                            beast::error_code& error) override {
    return on_body_impl(bytes, error);
  }
  void on_finish_impl(beast::error_code& /*error*/) override {}

  const HttpLimits& limits_;
  int64_t chunks_ = 0;
  bool in_body_ = false;
};

}  // namespace

class RequestReader::Impl {
 public:
  explicit Impl(const HttpLimits& limits) : limits_(limits) { parser_.emplace(limits_); }

  void append(std::string_view bytes) { bytes_.append(bytes); }

  Event advance() {
    if (refused_) return Event::kRefused;
    if (!head_done_) return advance_head();
    if (!parser_->is_done()) put_body();
    if (refused_) return Event::kRefused;
    return parser_->is_done() ? Event::kRequest : Event::kNeedMore;
  }

  void next() {
    parser_.emplace(limits_);
    head_done_ = false;
    scanned_ = 0;
    skipped_lines_ = 0;
    if (bytes_.empty()) bytes_.shrink_to_fit();
  }

  const HttpLimits limits_;
  std::optional<Parser> parser_;
  std::optional<Refusal> refused_;
  std::string bytes_;  ///< not yet parsed

  bool begun() const { return head_done_ || !bytes_.empty(); }

 private:
  Event refuse(Refusal refusal) {
    refused_ = std::move(refusal);
    bytes_.clear();
    return Event::kRefused;
  }

  /// One empty line before a request is allowed (RFC 9112, section 2.2).
  void skip_empty_line() {
    if (skipped_lines_ == 0 && bytes_.starts_with("\r\n")) {
      bytes_.erase(0, 2);
      ++skipped_lines_;
    }
  }

  /// Where the head ends, or 0. Refuses at once what can no longer become a head.
  size_t find_head_end() {
    for (; scanned_ < bytes_.size(); ++scanned_) {
      const char c = bytes_[scanned_];
      if (c == '\0' || (c == '\n' && (scanned_ == 0 || bytes_[scanned_ - 1] != '\r'))) {
        refuse({400, "the header has a NUL, or a line that ends without CRLF"});
        return 0;
      }
      if (std::ssize(bytes_) > limits_.header_bytes &&
          std::cmp_equal(scanned_, limits_.header_bytes)) {
        const bool in_target = bytes_.find("\r\n") > static_cast<size_t>(limits_.target_bytes);
        refuse({in_target ? 414 : 431,
                fmt::format("the header is longer than {} bytes", limits_.header_bytes)});
        return 0;
      }
      if (c == '\n' && std::string_view(bytes_).substr(0, scanned_ + 1).ends_with(kHeadEnd)) {
        return scanned_ + 1;
      }
    }
    return 0;
  }

  Event advance_head() {
    skip_empty_line();
    const size_t end = find_head_end();
    if (refused_) return Event::kRefused;
    if (end == 0) return Event::kNeedMore;
    const std::string text = bytes_.substr(0, end);
    if (auto refusal = refuse_head_text(text, limits_)) return refuse(*refusal);
    beast::error_code error;
    parser_->put(boost::asio::const_buffer(text.data(), text.size()), error);
    if (error == http::error::body_limit) error = {};  // the policy names the length
    if (error && error != http::error::need_more) return refuse({400, describe(error)});
    if (auto refusal = refuse_head(parser_->target, limits_, parser_->head))
      return refuse(*refusal);
    bytes_.erase(0, end);
    head_done_ = true;
    return Event::kHead;
  }

  void put_body() {
    // In a chunked body at least "0 CRLF CRLF" follows. Boost 1.74 asserts that it has these five
    // bytes when it comes back to the last chunk.
    if (parser_->head.chunked && bytes_.size() < kLastChunk.size()) return;
    beast::error_code error;
    size_t used = 0;
    while (used < bytes_.size() && !parser_->is_done() && !error) {
      used += parser_->put(boost::asio::const_buffer(bytes_.data() + used, bytes_.size() - used),
                           error);
    }
    bytes_.erase(0, used);
    if (error == http::error::need_more) {
      // What waits is an incomplete line of a chunk.
      if (std::ssize(bytes_) > limits_.chunk_extension_bytes + kChunkLine) {
        refuse({400, "the line of a chunk, or what follows the last chunk, is too long"});
      }
    } else if (error == http::error::body_limit) {
      refuse({413, fmt::format("the body has more than {} bytes", limits_.body_bytes)});
    } else if (error) {
      refuse(parser_->refusal.value_or(Refusal{400, describe(error)}));
    }
  }

  static std::string describe(const beast::error_code& error) {
    return fmt::format("malformed HTTP: {}", error.message());
  }

  bool head_done_ = false;
  size_t scanned_ = 0;
  int skipped_lines_ = 0;
};

RequestReader::RequestReader(const HttpLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestReader::~RequestReader() = default;

void RequestReader::append(std::string_view bytes) {
  impl_->append(bytes);
}
RequestReader::Event RequestReader::advance() {
  return impl_->advance();
}
const RequestHead& RequestReader::head() const {
  return impl_->parser_->head;
}
const Refusal& RequestReader::refusal() const {
  return *impl_->refused_;
}
std::string RequestReader::take_body() {
  return std::move(impl_->parser_->body);
}
void RequestReader::next() {
  impl_->next();
}
bool RequestReader::begun() const {
  return impl_->begun();
}
size_t RequestReader::held_bytes() const {
  return impl_->bytes_.size() + body_bytes();
}
size_t RequestReader::body_bytes() const {
  return impl_->parser_->body.size();
}

}  // namespace bertha::serve
