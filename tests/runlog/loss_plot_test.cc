#include "runlog/loss_plot.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

namespace bertha::runlog {
namespace {

/// The contents of a picture: its elements by name and class, and its texts in order.
struct Parsed {
  bool well_formed = false;
  std::map<std::string, int> count;  ///< "circle.held"
  std::vector<std::string> paths;    ///< d of "path.line"
  std::string text;                  ///< all texts, each on a line of its own
};

/// The value of an attribute in the text between < and >; "" where the attribute is missing.
std::string attribute(const std::string& tag, const std::string& name) {
  const size_t at = tag.find(" " + name + "=\"");
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size() + 3;
  return tag.substr(begin, tag.find('"', begin) - begin);
}

std::string unescaped(std::string text) {
  const std::map<std::string, std::string> entities = {
      {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&amp;", "&"}};
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '&') {
      out += text[i];
      continue;
    }
    const size_t end = text.find(';', i);
    out += entities.at(text.substr(i, end - i + 1));
    i = end;
  }
  return out;
}

/// Reads the XML that loss_svg writes. It is well formed only if every tag is closed in order.
Parsed parse(const std::string& svg) {
  Parsed parsed;
  std::vector<std::string> open;
  size_t at = 0;
  while (at < svg.size()) {
    const size_t begin = svg.find('<', at);
    if (begin == std::string::npos) break;
    if (!open.empty() && open.back() == "text") {
      parsed.text += unescaped(svg.substr(at, begin - at)) + "\n";
    }
    const size_t end = svg.find('>', begin);
    if (end == std::string::npos) return parsed;
    const std::string tag = svg.substr(begin + 1, end - begin - 1);
    at = end + 1;
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return parsed;
      open.pop_back();
      continue;
    }
    const std::string name = tag.substr(0, tag.find_first_of(" /"));
    ++parsed.count[name + "." + attribute(tag, "class")];
    if (attribute(tag, "class") == "line" && name == "path") {
      parsed.paths.push_back(attribute(tag, "d"));
    }
    if (tag.back() != '/') open.push_back(name);
  }
  parsed.well_formed = open.empty() && !parsed.count.empty();
  return parsed;
}

LossPlot two_phases() {
  LossPlot plot;
  plot.title = "Loss <of> \"this\" & that";
  LossCurve line{LossKind::kTraining, false, {}};
  for (int step = 1; step <= 100; ++step) line.points.push_back({1.0 * step, 10.0 - 0.05 * step});
  plot.curves = {line, {LossKind::kMaskedWords, true, {{50, 7}, {100, 5}}}};
  plot.phases = {{"phase 1", 0, 80}, {"phase 2", 80, 100}};
  return plot;
}

TEST(LossSvg, PictureHasCurvesPhasesAndLegend) {
  const Parsed picture = parse(loss_svg(two_phases()));
  ASSERT_TRUE(picture.well_formed);
  EXPECT_EQ(picture.count.at("path.line"), 1);
  EXPECT_EQ(picture.count.at("circle.held"), 3) << "two points and one in the legend";
  EXPECT_EQ(picture.count.at("line.mark"), 1);
  for (const char* text :
       {"Loss <of> \"this\" & that", "phase 1\n", "phase 2\n", "\ntraining loss\n",
        "masked words, held out\n", "step\n", "loss, nats\n", "\n5.000\n"}) {
    EXPECT_NE(picture.text.find(text), std::string::npos) << text << " in\n" << picture.text;
  }
}

TEST(LossSvg, PointsStandAtTheirValuesOnBothAxes) {
  LossPlot plot;
  plot.curves = {{LossKind::kTraining, false, {{0, 10}, {100, 5}, {200, 1}}}};
  // The frame runs from 72 to 880 and, upwards, from 484 to 104; losses from 0 to 10.
  EXPECT_EQ(parse(loss_svg(plot)).paths.at(0), "M72.0 104.0L476.0 294.0L880.0 446.0");
  plot.log_axis = true;
  EXPECT_EQ(parse(loss_svg(plot)).paths.at(0), "M72.0 104.0L476.0 218.4L880.0 484.0");
}

TEST(LossSvg, ScoresStandOnAScaleOfTheirOwnWithTheirValues) {
  LossPlot plot;
  plot.curves = {{LossKind::kTraining, false, {{0, 10}, {200, 1}}}};
  plot.scores = {.name = "F1", .points = {{100, 50}, {200, 88.25}}};
  const std::string svg = loss_svg(plot);
  const Parsed picture = parse(svg);
  ASSERT_TRUE(picture.well_formed);
  // Scores from 0 to 100 stand where losses from 0 to 10 do.
  EXPECT_NE(svg.find("M476.0 294.0L880.0 148.7"), std::string::npos) << svg;
  for (const char* text : {"\n50.0\n", "\n88.2\n", "\nF1, held out\n", "\ntraining loss\n"}) {
    EXPECT_NE(picture.text.find(text), std::string::npos) << text << " in\n" << picture.text;
  }
}

TEST(LossSvg, OfManyScoresTheFirstTheBestAndTheLastAreNamed) {
  LossPlot plot;
  plot.scores.name = "accuracy";
  for (int i = 1; i <= 20; ++i)
    plot.scores.points.push_back({1.0 * i, i == 7 ? 0.9 : 0.5 + 0.001 * i});
  const Parsed picture = parse(loss_svg(plot));
  ASSERT_TRUE(picture.well_formed);
  EXPECT_EQ(picture.count.at("text.value"), 3);
  for (const char* value : {"0.501", "0.900", "0.520"}) {
    EXPECT_NE(picture.text.find(value), std::string::npos) << value;
  }
}

TEST(LossSvg, LongCurveIsAveraged) {
  LossPlot plot;
  LossCurve line{LossKind::kTraining, false, {}};
  for (int step = 0; step < 100000; ++step) line.points.push_back({1.0 * step, 1.0 + step % 2});
  plot.curves = {line};
  const std::string svg = loss_svg(plot);
  EXPECT_LT(svg.size(), 30000U);
  EXPECT_NE(svg.find(">1.500<"), std::string::npos) << "the mean of 1 and 2";
}

TEST(LossSvg, LossThatIsNotFiniteLeavesAGap) {
  LossPlot plot;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  plot.curves = {{LossKind::kTraining, false, {{1, 2}, {2, 2}, {3, nan}, {4, 1}, {5, 1}}}};
  const Parsed picture = parse(loss_svg(plot));
  EXPECT_TRUE(picture.well_formed);
  EXPECT_EQ(picture.paths.size(), 2U);
  EXPECT_EQ(picture.text.find("nan"), std::string::npos);
}

TEST(LossSvg, EmptyAndFlatRunsAreDrawn) {
  LossPlot plot;
  for (const bool log_axis : {false, true}) {
    plot.log_axis = log_axis;
    plot.curves.clear();
    EXPECT_TRUE(parse(loss_svg(plot)).well_formed);
    plot.curves = {{LossKind::kTraining, false, {{1, 2}}}};
    const std::string svg = loss_svg(plot);
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_EQ(svg.find("inf"), std::string::npos);
  }
}

}  // namespace
}  // namespace bertha::runlog
