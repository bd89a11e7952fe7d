#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace bertha::serve {

// A file of the page, embedded at build time (cmake/embed_page.cmake).
struct PageAsset {
  std::string_view path;          // "/" is the document, "/page/ask_tab.js" one of its files
  std::string_view content_type;  // with its charset
  std::string_view etag;          // quoted; changes with the bytes
  std::string_view body;
};

struct PageHeader {
  std::string_view name;
  std::string_view value;
};

// Null if the page has no file at `path`.
const PageAsset* find_page_asset(std::string_view path);

std::span<const PageAsset> page_assets();

// The headers that every file of the page is sent with, beside Content-Type and ETag. The policy
// allows no script, style or connection but those of this server: a passage that holds markup stays
// text.
std::span<const PageHeader> page_headers();

}  // namespace bertha::serve
