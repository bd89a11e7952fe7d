#include "io/download.h"

#include <gtest/gtest.h>

#include <deque>
#include <filesystem>

#include "core/error.h"
#include "io/archive/digest.h"
#include "io/http_server.h"
#include "support/files.h"

namespace bertha::io {
namespace {

using test::Server;

namespace fs = std::filesystem;

std::string contents() {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i * 7919 % 10007) + "\n";
  return text;
}

std::string head(const std::string& status, const std::string& fields) {
  return "HTTP/1.1 " + status + "\r\nConnection: close\r\n" + fields + "\r\n";
}

/// A 200 answer with a claimed length, an entity tag and the first `sent` bytes.
std::string whole(const std::string& text, size_t sent, const std::string& tag = "\"v1\"") {
  return head("200 OK",
              "ETag: " + tag + "\r\nContent-Length: " + std::to_string(text.size()) + "\r\n") +
         text.substr(0, sent);
}

/// A 206 answer from the requested byte on, with `sent` bytes.
std::string rest(const std::string& text, const std::string& request, size_t sent) {
  const size_t at = request.find("Range: bytes=");
  if (at == std::string::npos) return whole(text, sent);
  const size_t begin = std::stoul(request.substr(at + 13));
  return head("206 Partial Content",
              "ETag: \"v1\"\r\nContent-Range: bytes " + std::to_string(begin) + "-" +
                  std::to_string(text.size() - 1) + "/" + std::to_string(text.size()) +
                  "\r\nContent-Length: " + std::to_string(text.size() - begin) + "\r\n") +
         text.substr(begin, sent);
}

class DownloadTest : public testing::Test {
 protected:
  DownloadTest() {
    options_.retry_ms = 1;
    options_.attempts = 3;
    options_.stall_ms = 300;
  }

  void get(const Server& server, const std::string& digest = "") {
    download(server.url(), path_, digest, options_, [](const DownloadProgress&) { return true; });
  }
  /// The message with which the download fails; the file must not exist then.
  std::string failure(const Server& server, const std::string& digest = "") {
    try {
      get(server, digest);
    } catch (const Error& error) {
      EXPECT_FALSE(fs::exists(path_));
      return error.what();
    }
    return "no failure";
  }
  void expect_whole() {
    EXPECT_TRUE(test::read_all(path_) == text_);
    EXPECT_FALSE(fs::exists(path_ + ".part"));
    EXPECT_FALSE(fs::exists(path_ + ".part.from"));
  }
  static bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_.file("deep/file.txt");
  DownloadOptions options_;
  const std::string text_ = contents();
};

TEST_F(DownloadTest, FileIsDownloadedAndItsChecksumIsVerified) {
  const Server server({[&](const auto&) { return whole(text_, text_.size()); }});
  get(server);
  expect_whole();
  const std::string sum = file_digest(path_, "sha256");
  for (const char* name : {"md5", "sha1", "sha256"}) get(server, file_digest(path_, name));
  fs::remove(path_);
  std::string wrong = sum;
  wrong[3] = wrong[3] == '0' ? '1' : '0';
  EXPECT_PRED2(contains, failure(server, wrong), "sha256 is " + sum + ", expected " + wrong);
  EXPECT_FALSE(fs::exists(path_ + ".part"));
}

TEST_F(DownloadTest, DigestsEqualKnownValues) {
  test::write_all(folder_.file("abc"), "abc");
  EXPECT_EQ(file_digest(folder_.file("abc"), "md5"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(file_digest(folder_.file("abc"), "sha1"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(file_digest(folder_.file("abc"), "sha256"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_THROW(file_digest(folder_.file("none"), "md5"), Error);
}

TEST_F(DownloadTest, BrokenConnectionIsContinuedWhereItEnded) {
  Server server({[&](const auto&) { return whole(text_, 10000); },
                 [&](const auto& request) { return rest(text_, request, 20000); },
                 [&](const auto& request) { return rest(text_, request, text_.size()); }});
  get(server);
  expect_whole();
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_PRED2(contains, requests[1], "Range: bytes=10000-\r\n");
  EXPECT_PRED2(contains, requests[1], "If-Range: \"v1\"\r\n");
  EXPECT_PRED2(contains, requests[2], "Range: bytes=30000-\r\n");
}

TEST_F(DownloadTest, FurtherAttemptsAreReported) {
  std::vector<std::string> reasons;
  std::vector<int64_t> waits;
  options_.retrying = [&](const std::string& reason, int64_t wait_ms) {
    reasons.push_back(reason);
    waits.push_back(wait_ms);
  };
  Server server({[&](const auto&) { return whole(text_, 10000); },
                 [&](const auto&) { return head("503 Busy", "Content-Length: 0\r\n"); },
                 [&](const auto& request) { return rest(text_, request, text_.size()); }});
  get(server);
  expect_whole();
  EXPECT_EQ(waits, (std::vector<int64_t>{1, 2}));
  ASSERT_EQ(reasons.size(), 2U);
  EXPECT_FALSE(reasons[0].empty());
  EXPECT_PRED2(contains, reasons[1], "503");
}

TEST_F(DownloadTest, StopEndsTheWaitForAnAttempt) {
  options_.retry_ms = 3'600'000;
  bool waiting = false;
  options_.retrying = [&](const std::string&, int64_t) { waiting = true; };
  Server server({[&](const auto&) { return whole(text_, 10000); }});
  try {
    download(server.url(), path_, "", options_, [&](const DownloadProgress&) { return !waiting; });
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_PRED2(contains, error.what(), "stopped; the same command goes on");
  }
  EXPECT_EQ(fs::file_size(path_ + ".part"), 10000U);
}

TEST_F(DownloadTest, LaterCallContinuesThePart) {
  Server server({[&](const auto&) { return whole(text_, 10000); },
                 [&](const auto&) { return std::string(); }});
  EXPECT_PRED2(contains, failure(server), "the same command goes on");
  EXPECT_EQ(fs::file_size(path_ + ".part"), 10000U);
  // Another address means another file.
  Server other({[&](const auto& request) { return rest(text_, request, text_.size()); }});
  get(other);
  expect_whole();
  EXPECT_FALSE(contains(other.requests()[0], "Range:"));
}

TEST_F(DownloadTest, StalledConnectionIsGivenUp) {
  Server server({[&](const auto&) { return whole(text_, 5000) + std::string(Server::kHold); },
                 [&](const auto& request) { return rest(text_, request, text_.size()); }});
  get(server);
  expect_whole();
  EXPECT_PRED2(contains, server.requests()[1], "Range: bytes=5000-\r\n");
}

TEST_F(DownloadTest, SilentServerIsGivenUp) {
  options_.attempts = 1;
  Server server({[&](const auto&) { return whole(text_, 0) + std::string(Server::kHold); }});
  EXPECT_PRED2(contains, failure(server), "nothing came for 0.3 s");
}

TEST_F(DownloadTest, FileThatChangedOnTheServerIsReadFromTheStart) {
  const std::string old(text_.size(), 'x');
  Server server({[&](const auto&) { return whole(old, 10000, "\"v0\""); },
                 [&](const auto&) { return whole(text_, text_.size()); }});
  get(server);
  expect_whole();
}

TEST_F(DownloadTest, WrongLengthsAndRangesAreRejected) {
  {  // fewer bytes than announced
    Server server({[&](const auto&) {
                     return head("200 OK", "ETag: \"v1\"\r\nContent-Length: 999999\r\n") + text_;
                   },
                   [&](const auto&) {
                     return head("416 Range Not Satisfiable",
                                 "Content-Range: bytes */" + std::to_string(text_.size()) + "\r\n");
                   }});
    get(server);
    expect_whole();
    fs::remove(path_);
  }
  {  // a range that was not requested
    Server server({[&](const auto&) { return whole(text_, 10000); },
                   [&](const auto&) { return rest(text_, "Range: bytes=9000-", text_.size()); }});
    EXPECT_PRED2(contains, failure(server), "asked for bytes from 10000");
  }
  {  // a range of another file
    Server server(
        {[&](const auto&) { return whole(text_, 10000); },
         [&](const auto& request) { return rest(text_ + "more", request, text_.size()); }});
    EXPECT_PRED2(contains, failure(server), "asked for bytes from 10000");
  }
  {  // without an end
    options_.most_bytes = 1000;
    Server server({[&](const auto&) { return head("200 OK", "") + text_; }});
    EXPECT_PRED2(contains, failure(server), "more than the 1000 bytes");
  }
}

TEST_F(DownloadTest, RedirectsAreFollowedUpToALimit) {
  Server server({[&](const auto&) { return head("302 Found", "Location: /other\r\n"); },
                 [&](const auto&) { return whole(text_, text_.size()); }});
  get(server);
  expect_whole();
  EXPECT_PRED2(contains, server.requests()[1], "GET /other ");
  fs::remove(path_);
  Server circle({[&](const auto&) { return head("302 Found", "Location: /file\r\n"); }});
  EXPECT_PRED2(contains, failure(circle), "redirects");
  EXPECT_EQ(circle.requests().size(), static_cast<size_t>(options_.most_redirects) + 1);
  Server escape(
      {[&](const auto&) { return head("302 Found", "Location: file:///etc/passwd\r\n"); }});
  EXPECT_PRED2(contains, failure(escape), "rotocol");
}

TEST_F(DownloadTest, ErrorStatusIsNamed) {
  Server missing({[&](const auto&) { return head("404 Not Found", "") + "<html>"; }});
  EXPECT_PRED2(contains, failure(missing), missing.url() + ": the server answers with status 404");
  EXPECT_EQ(missing.requests().size(), 1U);
  Server busy({[&](const auto&) { return head("503 Service Unavailable", "") + "<html>"; },
               [&](const auto&) { return whole(text_, text_.size()); }});
  get(busy);
  expect_whole();
}

TEST_F(DownloadTest, StopKeepsThePart) {
  Server server({[&](const auto&) { return whole(text_, 10000) + std::string(Server::kHold); },
                 [&](const auto& request) { return rest(text_, request, text_.size()); }});
  EXPECT_THROW(download(server.url(), path_, "", options_,
                        [](const DownloadProgress& p) { return p.bytes < 10000; }),
               Error);
  EXPECT_GT(fs::file_size(path_ + ".part"), 0U);
  EXPECT_FALSE(fs::exists(path_));
}

}  // namespace
}  // namespace bertha::io
