#include "corpus/wikitext.h"

#include "corpus/html_entities.h"
#include "support/samples.h"

namespace bertha::corpus {
namespace {

std::string prose(std::string_view wikitext, const WikitextOptions& options = {}) {
  static const Site kSite;
  return wikitext_to_prose(wikitext, "The Title", kSite, options);
}

struct Case {
  const char* wikitext;
  const char* text;
};

class Wikitext : public testing::TestWithParam<Case> {};

TEST_P(Wikitext, GivesTheExpectedProse) {
  const std::string expected = GetParam().text;
  EXPECT_EQ(prose(GetParam().wikitext), expected.empty() ? "" : expected + "\n")
      << GetParam().wikitext;
}

INSTANTIATE_TEST_SUITE_P(Links, Wikitext,
                         testing::Values(Case{"a [[b]] c", "a b c"}, Case{"[[b|c]]s", "cs"},
                                         Case{"[[File:x.jpg|thumb|A [[b]] and ''c'']]Text", "Text"},
                                         Case{"Text[[Category:Foo|Bar]]", "Text"},
                                         Case{"[[:Category:Foo]] x", "Category:Foo x"},
                                         Case{"Text [[fr:Texte]] more", "Text more"},
                                         Case{"[[Help:Mercury (planet)|]] x", "Mercury x"},
                                         Case{"[http://a.b label here] x", "label here x"},
                                         Case{"See [http://a.b].", "See."},
                                         Case{"an [[unclosed link\nnext", "an unclosed link\nnext"},
                                         Case{"a [[b|c\n\nnext", "a b|c\nnext"},
                                         Case{"stray ]] and }} here", "stray and here"},
                                         Case{"f[0] and [1]", "f[0] and [1]"},
                                         Case{"[[wikt:word]]", "word"}));

INSTANTIATE_TEST_SUITE_P(
    Templates, Wikitext,
    testing::Values(Case{"a {{unknown|x=[[y]]|{{z}}}} b", "a b"},
                    Case{"{{convert|5|km|mi}} off", "5 km off"},
                    Case{"{{convert|5|to|10|sqmi}}", "5 to 10 square miles"},
                    Case{"{{lang|fr|mot}} x", "mot x"}, Case{"{{lang-de|Wort}}", "German: Wort"},
                    Case{"{{nowrap|a {{nowrap|b}} c}}", "a b c"},
                    Case{"{{birth date|1950|3|4}}", "March 4, 1950"}, Case{"1{{ndash}}2", "1–2"},
                    Case{"{{PAGENAME}} is", "The Title is"}, Case{"{{formatnum:1234}} x", "1234 x"},
                    Case{"a {{b\n|c=d\nnext line", "a\nnext line"},
                    Case{"A ({{IPA|x}}; born 1950) b", "A (born 1950) b"},
                    Case{"A ({{IPA|x}}) b", "A b"}, Case{"[[a{{!}}b]]", "b"},
                    Case{"{{{1|default}}} x", "default x"}, Case{"{{frac|1|2}} x", "1/2 x"},
                    Case{"{{nihongo|A|漢|kan}}", "A (漢, kan)"}));

INSTANTIATE_TEST_SUITE_P(
    Lines, Wikitext,
    testing::Values(
        Case{"== H ==\ntext", "H.\ntext"}, Case{"== Empty ==\n== Full ==\ntext", "Full.\ntext"},
        Case{"== A ==\n=== B ===\nx", "A.\nB.\nx"}, Case{"===A=== b", "A.\nb"},
        Case{"== never closed", "never closed"}, Case{"= A =\nx", "A.\nx"}, Case{"==", ""},
        Case{"===\nx", "x"}, Case{"{|\n! h\n|-\n| a || b\n|}\ntext", "text"},
        Case{"{|\n| {|\n| x\n|}\n|}\ntext", "text"},
        Case{"{| class=x\n|-\n| never\nprose", "prose"}, Case{"* short item", ""},
        Case{"* A list item that is a whole sentence of words.",
             "A list item that is a whole sentence of words."},
        Case{": indented words", "indented words"}, Case{"----\nx", "x"}, Case{"__NOTOC__x", "x"},
        Case{"a__b__c", "a__b__c"}, Case{"!Kung people", "!Kung people"}));

INSTANTIATE_TEST_SUITE_P(Quotes, Wikitext,
                         testing::Values(Case{"'''b''' ''i'' '''''bi'''''", "b i bi"},
                                         Case{"l'''Iliade'' e '''b'''", "l'Iliade e b"},
                                         Case{"''''x''''", "'x'"}, Case{"it's", "it's"},
                                         Case{"'''''{{gone}}''''' x", "x"}));

INSTANTIATE_TEST_SUITE_P(
    Tags, Wikitext,
    testing::Values(
        Case{"a<ref>x [[y]]</ref> b<ref name=\"c\" /> c", "a b c"}, Case{"a<!-- x\ny -->b", "ab"},
        Case{"a <!-- never\nnext", "a\nnext"}, Case{"<nowiki>[[a]] {{b}}</nowiki>", "[[a]] {{b}}"},
        Case{"x<sub>2</sub> 1 < 2", "x2 1 < 2"}, Case{"<math>\\frac{a}{b}</math>x", "formula_1x"},
        Case{"<table><tr><td>x</td></tr></table>y", "y"}, Case{"a<br/>b", "a b"},
        Case{"<gallery>\nx.jpg\n</gallery>y", "y"}, Case{"<DIV class=a>x</DIV>", "x"},
        Case{"&lt;b&gt; &amp;nbsp;&nbsp;&#8212;&#x2014; &unknown;", "<b> &nbsp; —— &unknown;"},
        Case{"-{zh-hans:简;zh-hant:繁}-x -{y}-", "简x y"}, Case{"a-{b", "ab"},
        Case{"a-[[{b", "a-{b"}));

TEST(WikitextOptionsTest, ListItemsAreKeptAsTheOptionStates) {
  EXPECT_EQ(prose("* short", {ListItems::kAll, true}), "short\n");
  EXPECT_EQ(prose("* A list item that is a whole sentence of words.", {ListItems::kNone, true}),
            "");
  EXPECT_EQ(prose("== H ==\nx", {ListItems::kNone, false}), "x\n");
}

/// Hostile texts, each at two sizes. Quadratic work would take sixteen times as long for the larger
/// one and exceed the time limit of the test.
TEST(WikitextBounds, DeepAndUnclosedMarkupIsHandledInLinearTime) {
  for (const char* part : {"{{",         "[[",
                           "{{{",        "{|\n",
                           "<ref>",      "<table>",
                           "<!--",       "-{",
                           "[http://x ", "}}",
                           "]]",         "''",
                           "(",          ")",
                           "&",          "__",
                           "=",          "{{a|",
                           "[[a|",       "\n",
                           "<",          "<math>x</ref>",
                           "{{nowrap|",  "<ref name=",
                           "[[a\n",      "-{{",
                           "'''a'' ",    "<a b=\"",
                           "<a =\" ",    "[[a''",
                           "<nowiki>'",  ":<!---->",
                           "__TOC__",    "[[%41",
                           "-{a;"}) {
    std::string text;
    while (text.size() < 2'000'000) text += part;
    EXPECT_LE(prose(text).size(), text.size()) << part;
    std::string close = text.substr(0, 200'000) + std::string(200'000, '}') + text;
    EXPECT_LE(prose(close).size(), close.size()) << part;
  }
}

TEST(HtmlEntities, AreDecodedCompleteOrNotAtAll) {
  std::string out;
  EXPECT_EQ(append_entity("&eacute;x", out), 8U);
  EXPECT_EQ(out, "é");
  for (const char* none :
       {"&", "&;", "&#;", "&#x;", "&#xZ;", "&nosuch;", "&eacute", "&#99999999999;"}) {
    EXPECT_EQ(append_entity(none, out), 0U) << none;
  }
  EXPECT_EQ(append_entity("&#xD800;", out), 8U);
  EXPECT_EQ(out, "é");
}

}  // namespace
}  // namespace bertha::corpus
