#include "serve/http/request_reader.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace bertha::serve {
namespace {

using Event = RequestReader::Event;

struct Read {
  int status = 0;  ///< of the refusal; 0: a request, -1: more is needed
  RequestHead head;
  std::string body;
  std::string message;
};

/// Feeds the bytes in pieces and returns the first request or refusal.
Read read(std::string_view bytes, size_t piece, const HttpLimits& limits = {}) {
  RequestReader reader(limits);
  for (size_t at = 0; at < bytes.size(); at += piece) {
    reader.append(bytes.substr(at, piece));
    Event event = reader.advance();
    while (event == Event::kHead) event = reader.advance();
    if (event == Event::kRefused) {
      return {reader.refusal().status, reader.head(), "", reader.refusal().message};
    }
    if (event == Event::kRequest) {
      RequestHead head = reader.head();
      return {0, std::move(head), reader.take_body(), ""};
    }
  }
  return {-1, {}, "", ""};
}

/// The same in one piece and byte by byte, which must agree.
Read read_both(const std::string& bytes, const HttpLimits& limits = {}) {
  Read whole = read(bytes, bytes.size(), limits);
  const Read pieces = read(bytes, 1, limits);
  EXPECT_EQ(whole.status, pieces.status) << bytes.substr(0, 200);
  EXPECT_EQ(whole.body, pieces.body);
  return whole;
}

struct Case {
  const char* name;
  std::string bytes;
  int status;
};

const std::string kHost = "Host: a\r\n";

std::vector<Case> malformed() {
  const auto get = [](const std::string& fields) {
    return "GET / HTTP/1.1\r\n" + kHost + fields + "\r\n";
  };
  const auto post = [](const std::string& fields, const std::string& body) {
    return "POST / HTTP/1.1\r\n" + kHost + fields + "\r\n" + body;
  };
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  return {
      {"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
      {"TwoHosts", get("Host: b\r\n"), 400},
      {"HostWithSpace", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"HostList", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
      {"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"HostWithUser", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"BareLineFeed", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"BareLineFeedInField", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
      {"BareCarriageReturn", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400},
      {"NulInField", get(std::string("X: a\0b\r\n", 8)), 400},
      {"NulInTarget", std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28), 400},
      {"ControlInField", get("X: a\x01\r\n"), 400},
      {"DeleteInField", get("X: a\x7f\r\n"), 400},
      {"FoldedField", get("X: a\r\n b\r\n"), 400},
      {"FoldedFirstField", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"SpaceBeforeColon", get("X : a\r\n"), 400},
      {"TabBeforeColon", get("X\t: a\r\n"), 400},
      {"EmptyFieldName", get(": a\r\n"), 400},
      {"NoColon", get("X\r\n"), 400},
      {"FieldNameWithBrackets", get("X[0]: a\r\n"), 400},
      {"FieldNameNotAscii", get("X\xc3\xa9: a\r\n"), 400},
      {"NoVersion", "GET /\r\nHost: a\r\n\r\n", 400},
      {"LowerCaseVersion", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"Version09", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
      {"Version12", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"Version20", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"TwoSpacesAfterMethod", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TwoSpacesBeforeVersion", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TabInRequestLine", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"SpaceInTarget", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"SpaceBehindVersion", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"SpaceBeforeMethod", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"MethodNotToken", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TwoEmptyLinesFirst", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TargetNotAscii", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TargetWithFragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TargetWithoutSlash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"StarForGet", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"AuthorityForm", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"OtherScheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"QueryWithBadEscape", "GET /?a=%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TlsHello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", 13), 400},
      {"LengthNegative", post("Content-Length: -1\r\n", ""), 400},
      {"LengthPlus", post("Content-Length: +1\r\n", "a"), 400},
      {"LengthHexadecimal", post("Content-Length: 0x1\r\n", "a"), 400},
      {"LengthEmpty", post("Content-Length: \r\n", ""), 400},
      {"LengthWords", post("Content-Length: 1 1\r\n", "a"), 400},
      {"LengthList", post("Content-Length: 1, 1\r\n", "a"), 400},
      {"LengthOverflow", post("Content-Length: 18446744073709551617\r\n", "a"), 400},
      {"LengthFraction", post("Content-Length: 1.0\r\n", "a"), 400},
      {"TwoLengthsThatDiffer", post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), 400},
      {"TwoLengthsAlike", post("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), 400},
      {"LengthThenChunked", post("Content-Length: 3\r\n" + chunked, "0\r\n\r\n"), 400},
      {"ChunkedThenLength", post(chunked + "Content-Length: 3\r\n", "0\r\n\r\n"), 400},
      {"TwoChunked", post(chunked + chunked, "0\r\n\r\n"), 400},
      {"ChunkedTwiceInList", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 501},
      {"ChunkedNotLast", post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), 400},
      {"Gzip", post("Transfer-Encoding: gzip\r\n", ""), 400},
      {"GzipChunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
      {"Identity", post("Transfer-Encoding: identity\r\n", ""), 400},
      {"XChunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400},
      {"ChunkedQuoted", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400},
      {"ChunkedVerticalTab",
       post("Transfer-Encoding: \x0b"
            "chunked\r\n",
            "0\r\n\r\n"),
       400},
      {"ChunkedInHttp10", "POST / HTTP/1.0\r\n" + chunked + "\r\n0\r\n\r\n", 400},
      {"ChunkSizeMissing", post(chunked, "\r\nabc\r\n0\r\n\r\n"), 400},
      {"ChunkSizeNotHex", post(chunked, "g\r\nabc\r\n0\r\n\r\n"), 400},
      {"ChunkSizePrefix", post(chunked, "0x3\r\nabc\r\n0\r\n\r\n"), 400},
      {"ChunkSizeNegative", post(chunked, "-3\r\nabc\r\n0\r\n\r\n"), 400},
      {"ChunkSizeOverflow", post(chunked, "10000000000000003\r\nabc\r\n0\r\n\r\n"), 400},
      {"ChunkTooShort", post(chunked, "2\r\nabc\r\n0\r\n\r\n"), 400},
      {"ChunkTooLong", post(chunked, "4\r\nabc\r\n0\r\n\r\n"), 400},
      {"ChunkLineFeedOnly", post(chunked, "3\nabc\n0\n\n" + std::string(400, 'a')), 400},
      {"ChunkExtensionTooLong",
       post(chunked, "3;" + std::string(300, 'a') + "\r\nabc\r\n0\r\n\r\n"), 400},
      {"ChunkExtensionEndless", post(chunked, "3;" + std::string(5000, 'a')), 400},
      {"Trailer", post(chunked, "3\r\nabc\r\n0\r\nX: a\r\n\r\n"), 400},
      {"TrailerHost", post(chunked, "0\r\nContent-Length: 5\r\n\r\n"), 400},
      {"TrailersEndless", post(chunked, "0\r\n" + std::string(5000, 'a')), 400},
      {"PostWithoutLength", post("", ""), 411},
      {"PutWithoutLength", "PUT / HTTP/1.1\r\nHost: a\r\n\r\n", 411},
      {"OtherExpect", post("Content-Length: 1\r\nExpect: 200-ok\r\n", "a"), 417},
      {"GzipBody", post("Content-Length: 1\r\nContent-Encoding: gzip\r\n", "a"), 415},
      {"BodyTooLong", post("Content-Length: 2000001\r\n", ""), 413},
      {"ChunkAboveLimit", post(chunked, "1e8481\r\n"), 413},
      {"TargetTooLong", "GET /" + std::string(4096, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"TargetEndless", "GET /" + std::string(20000, 'a'), 414},
      {"FieldsTooLong", get("X: " + std::string(8192, 'a') + "\r\n"), 431},
      {"FieldsEndless", "GET / HTTP/1.1\r\nX: " + std::string(20000, 'a'), 431},
  };
}

TEST(RequestReader, MalformedRequestsAreRefusedWithTheirStatus) {
  for (const Case& each : malformed()) {
    const Read got = read_both(each.bytes);
    EXPECT_EQ(got.status, each.status) << each.name << ": " << got.message;
  }
}

TEST(RequestReader, ARefusalHoldsForWhateverFollows) {
  HttpLimits limits;
  RequestReader reader(limits);
  reader.append("GET / HTTP/1.1\r\n\r\n");
  ASSERT_EQ(reader.advance(), Event::kRefused);
  reader.append("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(reader.advance(), Event::kRefused);
}

TEST(RequestReader, MoreThan64FieldsAreRefused) {
  std::string fields;
  for (int i = 0; i < 63; ++i) fields += fmt::format("X-{}: a\r\n", i);
  EXPECT_EQ(read_both("GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n").status, 0);
  fields += "Y: a\r\n";
  EXPECT_EQ(read_both("GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n").status, 431);
}

TEST(RequestReader, TheLargestAllowedHeadPasses) {
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  const std::string most = start + std::string(8192 - start.size() - 4, 'a') + "\r\n\r\n";
  ASSERT_EQ(most.size(), 8192);
  EXPECT_EQ(read_both(most).status, 0);
}

TEST(RequestReader, TooManyChunksAreRefused) {
  HttpLimits limits;
  limits.chunks = 100;
  std::string body;
  for (int i = 0; i < 99; ++i) body += "1\r\na\r\n";
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(read_both(head + body + "0\r\n\r\n", limits).status, 0);
  EXPECT_EQ(read_both(head + body + "1\r\na\r\n0\r\n\r\n", limits).status, 400);
}

TEST(RequestReader, ChunksTogetherAboveTheLimitAreRefused) {
  HttpLimits limits;
  limits.body_bytes = 8;
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(read_both(head + "4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n", limits).body, "abcdefgh");
  EXPECT_EQ(read_both(head + "4\r\nabcd\r\n5\r\nefghi\r\n0\r\n\r\n", limits).status, 413);
}

TEST(RequestReader, AChunkedBodyIsJoined) {
  const Read got = read_both(
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "3;name=value\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n");
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.body, "abc0123456789");
  EXPECT_TRUE(got.head.chunked);
}

TEST(RequestReader, TheHeadIsTakenApart) {
  const Read got = read_both(
      "POST /v1/answer?a=1&b=x%20y HTTP/1.1\r\nhOST: a:8080\r\nX-One:  two words \t\r\n"
      "Content-Length: 5\r\nConnection: Keep-Alive, close\r\n\r\nhello");
  EXPECT_EQ(got.status, 0);
  EXPECT_EQ(got.head.method, "POST");
  EXPECT_EQ(got.head.path, "/v1/answer");
  EXPECT_EQ(got.head.query, "a=1&b=x%20y");
  EXPECT_EQ(got.head.headers.get("x-one"), "two words");
  EXPECT_EQ(got.head.content_length, 5);
  EXPECT_FALSE(got.head.keep_alive);
  EXPECT_EQ(got.body, "hello");
}

TEST(RequestReader, Http10ClosesUnlessItAsks) {
  EXPECT_FALSE(read_both("GET / HTTP/1.0\r\n\r\n").head.keep_alive);
  EXPECT_TRUE(read_both("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").head.keep_alive);
  EXPECT_TRUE(read_both("GET / HTTP/1.1\r\nHost: a\r\n\r\n").head.keep_alive);
}

TEST(RequestReader, AnAbsoluteTargetLosesItsAuthority) {
  EXPECT_EQ(read_both("GET http://a:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n").head.path, "/x");
  EXPECT_EQ(read_both("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n").head.path, "/");
  EXPECT_EQ(read_both("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").head.path, "*");
}

TEST(RequestReader, ThePathStaysAsItWasSent) {
  EXPECT_EQ(read_both("GET /%6Detrics/../a HTTP/1.1\r\nHost: a\r\n\r\n").head.path,
            "/%6Detrics/../a");
}

TEST(RequestReader, OneEmptyLineBeforeARequestIsSkipped) {
  EXPECT_EQ(read_both("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 0);
}

TEST(RequestReader, PipelinedRequestsComeOneAfterTheOther) {
  HttpLimits limits;
  RequestReader reader(limits);
  reader.append(
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nd\r\n0\r\n\r\n"
      "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  std::vector<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(reader.advance(), Event::kHead);
    ASSERT_EQ(reader.advance(), Event::kRequest);
    seen.push_back(reader.head().path + ":" + reader.take_body());
    reader.next();
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"/1:abc", "/2:d", "/3:"}));
  EXPECT_FALSE(reader.begun());
}

}  // namespace
}  // namespace bertha::serve
