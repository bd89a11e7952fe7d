#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cstdio>
#include <memory>
#include <string>

#include "core/error.h"
#include "raw_client.h"
#include "serve/http/access_log.h"
#include "serve/http/api_keys.h"
#include "serve/http/http_server.h"
#include "support/files.h"

namespace bertha::serve {
namespace {

using test::get;
using test::post;
using test::RawClient;
using test::TemporaryFolder;
using namespace std::chrono_literals;

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using Owned = std::unique_ptr<T, Deleter<Free>>;

/// Writes a key and a certificate that it signs itself, for this common name.
void write_certificate(const TemporaryFolder& folder, const char* name) {
  const Owned<EVP_PKEY, EVP_PKEY_free> key(EVP_EC_gen("P-256"));
  const Owned<X509, X509_free> certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const Owned<FILE, fclose> cert_file(std::fopen(folder.file("cert.pem").c_str(), "w"));
  PEM_write_X509(cert_file.get(), certificate.get());
  const Owned<FILE, fclose> key_file(std::fopen(folder.file("key.pem").c_str(), "w"));
  PEM_write_PrivateKey(key_file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
}

/// A client of TLS that trusts any certificate.
class TlsClient {
 public:
  explicit TlsClient(uint16_t port, int most = TLS1_3_VERSION)
      : client_(port), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), most);
    stream_.reset(SSL_new(context_.get()));
    SSL_set_fd(stream_.get(), client_.descriptor());
    connected_ = SSL_connect(stream_.get()) == 1;
  }

  bool connected() const { return connected_; }
  std::string version() const { return SSL_get_version(stream_.get()); }
  std::string peer_name() const {
    const Owned<X509, X509_free> certificate(SSL_get1_peer_certificate(stream_.get()));
    char name[64] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                              sizeof name);
    return name;
  }
  /// All bytes up to the end of the stream. `clean`: the server ended it with an alert.
  std::string ask(const std::string& request, bool& clean) {
    SSL_write(stream_.get(), request.data(), static_cast<int>(request.size()));
    std::string answer;
    char buffer[4096];
    int bytes = 0;
    while ((bytes = SSL_read(stream_.get(), buffer, sizeof buffer)) > 0) {
      answer.append(buffer, static_cast<size_t>(bytes));
    }
    clean = SSL_get_error(stream_.get(), bytes) == SSL_ERROR_ZERO_RETURN;
    return answer;
  }

 private:
  RawClient client_;
  Owned<SSL_CTX, SSL_CTX_free> context_;
  Owned<SSL, SSL_free> stream_;
  bool connected_ = false;
};

void answer_hello(const HttpRequest& request, const Respond& respond) {
  HttpResponse response;
  response.body = "hello " + request.body;
  respond(std::move(response));
}

HttpServerOptions tls_options(const TemporaryFolder& folder) {
  HttpServerOptions options;
  options.port = 0;
  options.tls_cert_file = folder.file("cert.pem");
  options.tls_key_file = folder.file("key.pem");
  options.limits.handshake = 300ms;
  return options;
}

TEST(Tls, RequestsAreAnsweredAndTheStreamEndsCleanly) {
  const TemporaryFolder folder;
  write_certificate(folder, "first");
  HttpServer server(tls_options(folder), answer_hello);
  server.start();
  EXPECT_TRUE(server.address().starts_with("https://127.0.0.1:"));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(server.port(), version);
    ASSERT_TRUE(client.connected());
    bool clean = false;
    const std::string big(500'000, 'b');
    const std::string answer = client.ask(post("/", big, "Connection: close\r\n"), clean);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << client.version();
    EXPECT_TRUE(answer.ends_with("hello " + big)) << client.version();
    EXPECT_TRUE(clean) << client.version();
  }
}

TEST(Tls, OldVersionsAreRefused) {
  const TemporaryFolder folder;
  write_certificate(folder, "first");
  HttpServer server(tls_options(folder), answer_hello);
  server.start();
  EXPECT_FALSE(TlsClient(server.port(), TLS1_1_VERSION).connected());
  EXPECT_TRUE(TlsClient(server.port()).connected());
}

TEST(Tls, AClientThatDoesNotShakeHandsIsClosed) {
  const TemporaryFolder folder;
  write_certificate(folder, "first");
  HttpServer server(tls_options(folder), answer_hello);
  server.start();
  RawClient silent(server.port());
  EXPECT_TRUE(silent.closes(1500ms));
  RawClient plain(server.port());
  plain.send(get("/"));
  EXPECT_TRUE(plain.closes(1500ms));
}

TEST(Tls, AReloadTakesTheNewCertificateForNewConnections) {
  const TemporaryFolder folder;
  write_certificate(folder, "first");
  HttpServer server(tls_options(folder), answer_hello);
  server.start();
  TlsClient before(server.port());
  EXPECT_EQ(before.peer_name(), "first");
  write_certificate(folder, "second");
  server.reload();
  bool clean = false;
  EXPECT_TRUE(before.ask(get("/", "Connection: close\r\n"), clean).ends_with("hello "));
  EXPECT_EQ(TlsClient(server.port()).peer_name(), "second");
}

TEST(Tls, AWrongFileIsAnErrorThatNamesItAndKeepsTheOldOne) {
  const TemporaryFolder folder;
  write_certificate(folder, "first");
  HttpServer server(tls_options(folder), answer_hello);
  server.start();
  test::write_all(folder.file("cert.pem"), "no certificate");
  try {
    server.reload();
    FAIL() << "a wrong certificate was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("cert.pem"), std::string::npos);
  }
  EXPECT_EQ(TlsClient(server.port()).peer_name(), "first");
}

TEST(Tls, AKeyOfAnotherCertificateIsAnError) {
  const TemporaryFolder folder;
  const TemporaryFolder other;
  write_certificate(folder, "first");
  write_certificate(other, "other");
  HttpServerOptions options = tls_options(folder);
  options.tls_key_file = other.file("key.pem");
  EXPECT_THROW(HttpServer(options, answer_hello), Error);
}

// --- Keys ----------------------------------------------------------------------------------------

constexpr const char* kKeys = "# keys of the team\nalpha-key-1234\n\n  beta-key-5678 \r\n";

TEST(ApiKeys, KeysOfTheFileAreAllowedAndNoOthers) {
  const TemporaryFolder folder;
  test::write_all(folder.file("keys"), kKeys);
  const ApiKeys keys(folder.file("keys"));
  EXPECT_EQ(keys.size(), 2);
  EXPECT_TRUE(keys.allows("alpha-key-1234"));
  EXPECT_TRUE(keys.allows("beta-key-5678"));
  for (const char* wrong : {"", "alpha-key-123", "alpha-key-12345", "# keys of the team", "beta"}) {
    EXPECT_FALSE(keys.allows(wrong)) << wrong;
  }
}

TEST(ApiKeys, AFileThatCannotGuardIsAnErrorWithoutTheKey) {
  const TemporaryFolder folder;
  EXPECT_THROW(ApiKeys(folder.file("none")), Error);
  test::write_all(folder.file("empty"), "# nothing\n");
  EXPECT_THROW(ApiKeys(folder.file("empty")), Error);
  test::write_all(folder.file("short"), "secret\n");
  try {
    const ApiKeys keys(folder.file("short"));
    FAIL() << "a short key was taken";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("line 1"), std::string::npos);
  }
  test::write_all(folder.file("open"), kKeys);
  ASSERT_EQ(chmod(folder.file("open").c_str(), 0666), 0);
  EXPECT_THROW(ApiKeys(folder.file("open")), Error);
}

TEST(ApiKeys, TheKeyIsFoundInBothFields) {
  EXPECT_EQ(ApiKeys::sent_key({{"authorization", "bearer abc"}}), "abc");
  EXPECT_EQ(ApiKeys::sent_key({{"X-API-Key", "abc"}}), "abc");
  EXPECT_EQ(ApiKeys::sent_key({{"Authorization", "Basic abc"}}), "");
  EXPECT_EQ(ApiKeys::sent_key({}), "");
}

TEST(ApiKeys, TheServerAsksForAKeyExceptForHealthAndThePage) {
  const TemporaryFolder folder;
  test::write_all(folder.file("keys"), kKeys);
  std::string log;
  HttpServerOptions options;
  options.port = 0;
  options.key_file = folder.file("keys");
  options.access_log = [&log](const AccessRecord& record) { log += access_line(record) + "\n"; };
  HttpServer server(options, answer_hello);
  server.start();
  RawClient client(server.port());
  for (const char* path : {"/health", "/", "/ping", "/metrics", "/v2/health/live", "/page/a.js"}) {
    EXPECT_EQ(client.ask(get(path)).status, 200) << path;
  }
  EXPECT_EQ(client.ask(post("/embed", "a", "Authorization: Bearer alpha-key-1234\r\n")).status,
            200);
  EXPECT_EQ(client.ask(post("/embed", "a", "X-Api-Key: beta-key-5678\r\n")).status, 200);
  const test::RawAnswer wrong = client.ask(post("/embed", "a", "Authorization: Bearer alpha\r\n"));
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(wrong.headers.get("WWW-Authenticate"), "Bearer");
  EXPECT_TRUE(client.closes());
  EXPECT_EQ(RawClient(server.port()).ask(post("/health", "a")).status, 401);
  EXPECT_EQ(RawClient(server.port()).ask(get("/info")).status, 401);
  server.stop(1s);
  EXPECT_EQ(log.find("key-"), std::string::npos);
  EXPECT_NE(log.find("/embed 401"), std::string::npos);
}

TEST(ApiKeys, AReloadTakesTheNewKeys) {
  const TemporaryFolder folder;
  test::write_all(folder.file("keys"), kKeys);
  HttpServerOptions options;
  options.port = 0;
  options.key_file = folder.file("keys");
  HttpServer server(options, answer_hello);
  server.start();
  test::write_all(folder.file("keys"), "gamma-key-9999\n");
  server.reload();
  RawClient client(server.port());
  EXPECT_EQ(client.ask(get("/info", "X-Api-Key: gamma-key-9999\r\n")).status, 200);
  EXPECT_EQ(client.ask(get("/info", "X-Api-Key: alpha-key-1234\r\n")).status, 401);
}

}  // namespace
}  // namespace bertha::serve
