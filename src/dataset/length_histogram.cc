#include "dataset/length_histogram.h"

#include <fmt/format.h>

#include <algorithm>

#include "runlog/quantity_format.h"
#include "runlog/svg.h"

namespace bertha::dataset {
namespace {

constexpr int64_t kMostBins = 16;

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::vector<LengthBin> length_histogram(const Survey& survey) {
  const auto longest = static_cast<int64_t>(survey.by_length.size()) - 1;
  const int64_t count = std::min(kMostBins, longest);
  std::vector<LengthBin> bins;
  for (int64_t i = 0; i < count; ++i) {
    LengthBin bin{longest * i / count + 1, longest * (i + 1) / count, 0};
    for (int64_t l = bin.lower; l <= bin.upper; ++l) {
      bin.sequences += survey.by_length[static_cast<size_t>(l)];
    }
    bins.push_back(bin);
  }
  return bins;
}

int64_t most_sequences(const std::vector<LengthBin>& bins) {
  return std::ranges::max_element(bins, {}, &LengthBin::sequences)->sequences;
}

std::string length_svg(const Survey& survey) {
  constexpr double kWidth = 720;
  constexpr double kHeight = 320;
  constexpr double kLeft = 24;
  constexpr double kBase = kHeight - 40;
  const std::vector<LengthBin> bins = length_histogram(survey);
  const int64_t most = most_sequences(bins);
  const double step = (kWidth - 2 * kLeft) / static_cast<double>(bins.size());
  runlog::Svg svg({kWidth, kHeight},
                  {{"font-family", "sans-serif"}, {"font-size", "11"}, {"text-anchor", "middle"}});
  svg.text({kWidth / 2, 24},
           fmt::format("{} sequences by length, {:.2f} % of all places hold tokens",
                       runlog::format_count(survey.sequences),
                       100 * share(survey.tokens, survey.places)),
           {{"font-size", "15"}});
  for (size_t i = 0; i < bins.size(); ++i) {
    const double x = kLeft + step * static_cast<double>(i);
    const double height = (kBase - 60) * share(bins[i].sequences, most);
    svg.rectangle({x + 1, kBase - height}, {step - 2, height}, {{"fill", "#2f6f9f"}});
    svg.text({x + step / 2, kBase - height - 4},
             fmt::format("{:.1f}%", 100 * share(bins[i].sequences, survey.sequences)),
             {{"fill", "#555"}});
    svg.text({x + step / 2, kBase + 16}, std::to_string(bins[i].upper));
  }
  svg.text({kWidth / 2, kHeight - 6}, "tokens a sequence, up to");
  return svg.str();
}

}  // namespace bertha::dataset
