#include "runlog/svg.h"

#include <gtest/gtest.h>

namespace bertha::runlog {
namespace {

constexpr const char* kHead =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 20 10\" role=\"img\">\n";
constexpr const char* kGround = "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";

std::string with(const std::string& element) {
  return std::string(kHead) + kGround + element + "\n</svg>\n";
}

TEST(Svg, EmptyPictureIsWhite) {
  EXPECT_EQ(Svg({20, 10}).str(), std::string(kHead) + kGround + "</svg>\n");
}

TEST(Svg, TitleAndStyleComeFirst) {
  const std::string svg = Svg({20, 10}, {}, "A & B", "text{fill:red}").str();
  EXPECT_EQ(svg, std::string(kHead) + "<title>A &amp; B</title>\n<style>text{fill:red}</style>\n" +
                     kGround + "</svg>\n");
}

TEST(Svg, ElementsHaveOneDecimal) {
  Svg line({20, 10});
  line.line({1, 2}, {3.26, 4}, {{"class", "grid"}});
  EXPECT_EQ(line.str(), with(R"(<line class="grid" x1="1.0" x2="3.3" y1="2.0" y2="4.0"/>)"));
  Svg rectangle({20, 10});
  rectangle.rectangle({1, 2}, {3, 4}, {});
  EXPECT_EQ(rectangle.str(), with(R"(<rect x="1.0" y="2.0" width="3.0" height="4.0"/>)"));
  Svg circle({20, 10});
  circle.circle({1, 2}, 3, {{"fill", "red"}});
  EXPECT_EQ(circle.str(), with(R"(<circle fill="red" cx="1.0" cy="2.0" r="3.0"/>)"));
}

TEST(Svg, PathStartsWithAMoveAndMayClose) {
  SvgPath path;
  path.line_to({0, 1}).line_to({2, 3.5}).close();
  Svg svg({20, 10});
  svg.path(path, {{"fill", "none"}});
  EXPECT_EQ(svg.str(), with(R"(<path fill="none" d="M0.0 1.0L2.0 3.5Z"/>)"));
}

TEST(Svg, ReservedCharactersAreEscaped) {
  Svg svg({20, 10});
  svg.text({1, 2}, "a<b> \"c\" & d\n", {{"class", "\"<"}});
  EXPECT_EQ(svg.str(), with("<text class=\"&quot;&lt;\" x=\"1.0\" y=\"2.0\">"
                            "a&lt;b&gt; &quot;c&quot; &amp; d </text>"));
}

TEST(Svg, UprightTextIsRotatedAboutItsPlace) {
  Svg svg({20, 10});
  svg.upright_text({1, 2}, "loss");
  EXPECT_EQ(svg.str(), with("<text transform=\"translate(1.0 2.0) rotate(-90)\">loss</text>"));
}

}  // namespace
}  // namespace bertha::runlog
