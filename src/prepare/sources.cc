#include "prepare/sources.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "io/file_status.h"

namespace bertha::prepare {
namespace {

constexpr std::array kSquad = {
    SourceFile{"https://rajpurkar.github.io/SQuAD-explorer/dataset/train-v1.1.json",
               "v1.1/train-v1.1.json", "981b29407e0affa3b1b156f72073b945"},
    SourceFile{"https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v1.1.json",
               "v1.1/dev-v1.1.json", "3e85deb501d4e538b6bc56f786231552"},
    SourceFile{"https://worksheets.codalab.org/rest/bundles/0xbcd57bee090b421c982906709c8c27e1/"
               "contents/blob/",
               "v1.1/evaluate-v1.1.py", "afb04912d18ff20696f7f88eed49bea9"},
};

constexpr std::array kModels = {
    GoogleModel{"bert-base-uncased",
                "https://storage.googleapis.com/bert_models/2018_10_18/uncased_L-12_H-768_A-12.zip",
                "uncased_L-12_H-768_A-12",
                "7b4e5f53efbd058c67cda0aacfafb340113ea1b5797d9ce6ee411704ba21fcbc",
                "58580dc5e0bf0ae0d2efd51d0e8272b2f808857f0a43a88aaf7549da6d7a8a84",
                "04c1323086e2f1c5b7c0759d8d3e484afbb0ab45f51793daab9f647113a0117b",
                "dd5682170a10c3ea0280c2e9b9a45fee894eb62da649bbdea37b38b0ded5f60e",
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"},
    GoogleModel{
        "bert-large-uncased",
        "https://storage.googleapis.com/bert_models/2018_10_18/uncased_L-24_H-1024_A-16.zip",
        "uncased_L-24_H-1024_A-16",
        "bfa42236d269e2aeb3a6d30412a33d15dbe8ea597e2b01dc9518c63cc6efafcb",
        "bc6b3363e3be458c99ecf64b7f472d2b7c67534fd8f564c0556a678f90f4eea1",
        "68b52f2205ffc64dc627d1120cf399c1ef1cbc35ea5021d1afc889ffe2ce2093",
        "6fcce8ff7628f229a885a593625e3d5ff9687542d5ef128d9beb1b0c05edc4a1",
        "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"},
    GoogleModel{"bert-base-cased",
                "https://storage.googleapis.com/bert_models/2018_10_18/cased_L-12_H-768_A-12.zip",
                "cased_L-12_H-768_A-12",
                "f11dfb757bea16339a33e1bf327b0aade6e57fd9c29dc6b84f7ddb20682f48bc",
                "734d5a1b68bf98d4e9cb6b6692725d00842a1937af73902e51776905d8f760ea",
                "517d6ef5c41fc2ca1f595276d6fccf5521810d57f5a74e32616151557790f7b1",
                "5f8a9771ff25dadd61582abb4e3a748215a10a6b55947cbb66d0f0ba1694be98",
                "eeaa9875b23b04b4c54ef759d03db9d1ba1554838f8fb26c5d96fa551df93d02"},
    GoogleModel{"bert-large-cased",
                "https://storage.googleapis.com/bert_models/2018_10_18/cased_L-24_H-1024_A-16.zip",
                "cased_L-24_H-1024_A-16",
                "7adb2125c8225da495656c982fd1c5f64ba8f20ad020838571a3f8a954c2df57",
                "6ff33640f40d472f7a16af0c17b1179ca9dcc0373155fb05335b6a4dd1657ef0",
                "ef42a53f577fbe07381f4161b13c7cab4f4fc3b167cec6a9ae382c53d18049cf",
                "d2ddff3ed33b80091eac95171e94149736ea74eb645e575d942ec4a5e01a40a1",
                "eeaa9875b23b04b4c54ef759d03db9d1ba1554838f8fb26c5d96fa551df93d02"},
    GoogleModel{
        "bert-base-multilingual-cased",
        "https://storage.googleapis.com/bert_models/2018_11_23/multi_cased_L-12_H-768_A-12.zip",
        "multi_cased_L-12_H-768_A-12",
        "e76c3964bc14a8bb37a5530cdc802699d2f4a6fddfab0611e153aa2528f234f0",
        "55b8a2df41f69c60c5180e50a7c31b7cdf6238909390c4ddf05fbc0d37aa1ac5",
        "7d8509c2a62b4e300feb55f8e5f1eef41638f4998dd4d887736f42d4f6a34b37",
        "95e5f1997e8831f1c31e5cf530f1a2e99f121e9cd20887f2dce6fe9e3343e3fa",
        "fe0fda7c425b48c516fc8f160d594c8022a0808447475c1a7c6d6479763f310c"},
    GoogleModel{
        "bert-base-multilingual-uncased",
        "https://storage.googleapis.com/bert_models/2018_11_03/multilingual_L-12_H-768_A-12.zip",
        "multilingual_L-12_H-768_A-12",
        "49063bb061390211d2fdd108cada1ed86faa5f90b80c8f6fdddf406afa4c4624",
        "3cd83912ebeb0efe2abf35c9f1d5a515d8e80295e61c49b75c8853f756658429",
        "87c372c1a3b1dc7effaaa9103c80a81b3cbab04c7933ced224eec3b8ad2cc8e7",
        "27f504f34f02acaa6b0f60d65195ec3e3f9505ac14601c6a32b421d0c8413a29",
        "87b44292b452f6c05afa49b2e488e7eedf79ea4f4c39db6f2f4b37764228ef3f"},
    GoogleModel{"bert-base-chinese",
                "https://storage.googleapis.com/bert_models/2018_11_03/chinese_L-12_H-768_A-12.zip",
                "chinese_L-12_H-768_A-12",
                "7aaad0335058e2640bcb2c2e9a932b1cd9da200c46ea7b8957d54431f201c015",
                "756699356b78ad0ef1ca9ba6528297bcb3dd1aef5feadd31f4775d7c7fc989ba",
                "46315546e05ce62327b3e2cd1bed22836adcb2ff29735ec87721396edb21b82e",
                "c0f8d51e1ab986604bc2b25d6ec0af7fd21ff94cf67081996ec3f3bf5d823047",
                "45bbac6b341c319adc98a532532882e91a9cefc0329aa57bac9ae761c27b291c"},
};

bool all_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdef";

}  // namespace

std::span<const SourceFile> squad_files() {
  return kSquad;
}

std::span<const GoogleModel> google_models() {
  return kModels;
}

std::string wikipedia_prefix(const std::string& language, const std::string& date) {
  std::string code = language;
  std::ranges::replace(code, '-', '_');
  if (code.size() < 2 || code.size() > 20 || !all_of(code, "abcdefghijklmnopqrstuvwxyz_")) {
    fail("--language \"{}\": expected a Wikipedia's code, as en or zh-min-nan", language);
  }
  if (date != "latest" && (date.size() != 8 || !all_of(date, kDigits))) {
    fail("--date \"{}\": expected latest or a day as 20240101", date);
  }
  return fmt::format("https://dumps.wikimedia.org/{0}wiki/{1}/{0}wiki-{1}-", code, date);
}

std::string find_dump_digest(std::string_view list) {
  constexpr std::string_view kName = "-pages-articles.xml.bz2";
  while (!list.empty()) {
    const size_t end = std::min(list.find('\n'), list.size());
    std::string_view line = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string_view sum = line.substr(0, line.find(' '));
    if (line.ends_with(kName) && sum.size() == 40 && all_of(sum, kHexDigits)) {
      return std::string(sum);
    }
  }
  return "";
}

bool is_address(std::string_view place) {
  return place.starts_with("http://") || place.starts_with("https://");
}

namespace {

std::string in_folder(std::string_view url, const std::string& folder) {
  const std::string_view with_host = url.substr(url.find("://") + 3);
  const std::string_view path = with_host.substr(with_host.find('/') + 1);
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (const std::string_view below : {with_host, path, name}) {
    const std::filesystem::path place = std::filesystem::path(folder) / below;
    if (io::is_regular_file(place)) return place.string();
  }
  fail("--mirror {}: the folder has neither {} nor {}", folder, with_host, name);
}

}  // namespace

std::string at_mirror(std::string_view url, const std::string& mirror) {
  if (mirror.empty()) return std::string(url);
  constexpr std::string_view kFile = "file://";
  const std::string folder = mirror.starts_with(kFile) ? mirror.substr(kFile.size()) : mirror;
  if (io::is_folder(folder)) return in_folder(url, folder);
  if (!is_address(mirror)) {
    fail("--mirror \"{}\": expected an http or https address, or a folder", mirror);
  }
  const size_t path = url.find('/', url.find("://") + 3);
  std::string base = mirror;
  while (base.ends_with('/')) base.pop_back();
  return base + std::string(url.substr(path));
}

}  // namespace bertha::prepare
