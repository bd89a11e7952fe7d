#include "serve/page/page_assets.h"

#include <algorithm>
#include <array>

namespace bertha::serve {
namespace {

// Defines a constexpr array of bytes for each file, and `kPageAssets` of all.
#include "serve/page/page_bytes.inc"

constexpr std::array kPageHeaders = {
    PageHeader{"Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
               "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    PageHeader{"X-Content-Type-Options", "nosniff"},
    PageHeader{"Referrer-Policy", "no-referrer"},
    PageHeader{"Cross-Origin-Opener-Policy", "same-origin"},
    // The browser keeps the files, and asks each time whether the ETag still holds.
    PageHeader{"Cache-Control", "no-cache"},
};

}  // namespace

const PageAsset* find_page_asset(std::string_view path) {
  const auto* found = std::ranges::find(kPageAssets, path, &PageAsset::path);
  return found == kPageAssets.end() ? nullptr : found;
}

std::span<const PageAsset> page_assets() {
  return kPageAssets;
}

std::span<const PageHeader> page_headers() {
  return kPageHeaders;
}

}  // namespace bertha::serve
