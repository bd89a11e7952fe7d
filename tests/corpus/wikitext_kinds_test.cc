// Wikitext by kind: what MediaWiki shows for markup within links, tags, templates and URLs, and for
// templates by the language of the wiki.

#include "core/error.h"
#include "corpus/wikitext.h"
#include "support/samples.h"

namespace bertha::corpus {
namespace {

std::string prose(std::string_view wikitext, const WikitextOptions& options = {},
                  const char* language = "en") {
  Site site;
  site.set_language(language);
  return wikitext_to_prose(wikitext, "The Title", site, options);
}

struct Case {
  const char* wikitext;
  const char* text;
};

class WikitextKinds : public testing::TestWithParam<Case> {};

TEST_P(WikitextKinds, GivesWhatMediaWikiShows) {
  EXPECT_EQ(prose(GetParam().wikitext), std::string(GetParam().text) + "\n") << GetParam().wikitext;
}

INSTANTIATE_TEST_SUITE_P(
    Quotes, WikitextKinds,
    testing::Values(Case{"The ''Argo''<nowiki/>'s oars and ''Vega''<nowiki/>'s sails",
                         "The Argo's oars and Vega's sails"},
                    Case{"the ''Argo''{{'}}s oars and ''Vega''{{'}}s sails",
                         "the Argo's oars and Vega's sails"},
                    Case{"the ''Argo''{{'s}} oars", "the Argo's oars"},
                    Case{"{{lang|fr|''Le Mot''}}'s plot", "Le Mot's plot"},
                    Case{"''[[Argo|''Argo'']]'' sailed", "Argo sailed"},
                    Case{"''[[Argo (ship)|''Argo'' (ship)]] and ''Vega''", "Argo (ship) and Vega"},
                    Case{"''a''<ref>x</ref>''b'' c", "ab c"}, Case{"''A''''B''", "A'B"},
                    Case{"'''xx yy ''b'''s cc'''", "'xx yy bs cc"}));

INSTANTIATE_TEST_SUITE_P(
    Urls, WikitextKinds,
    testing::Values(Case{"これは[http://a.b/　案内]です", "これは案内です"},
                    Case{"see [http://a.b/\u00a0our page] now", "see our page now"},
                    Case{"see [http://a.b/''the'' page]", "see the page"},
                    Case{"see [http://a.b/\"the\" page]", "see \"the\" page"},
                    Case{"see [http://a.b/<b>the</b> page]", "see the page"},
                    Case{"see [HTTPS://a.b/ the page]", "see the page"},
                    Case{"call [tel:123 us], [xmpp:a@b we chat]", "call us, we chat"},
                    Case{"at [http://[2001::1]/x the host]", "at the host"},
                    Case{"in [1], [note] and [http:x]", "in [1], [note] and [http:x]"},
                    Case{"[[http://a.b the page]]", "[the page]"},
                    Case{"the [[[page|old page]]] here", "the [old page] here"},
                    Case{"the [[a%20page]] of [[50%2525]]", "the a page of 50%2525"}));

INSTANTIATE_TEST_SUITE_P(Bars, WikitextKinds,
                         testing::Values(Case{"{{{1|two|three}}} x", "two x"},
                                         Case{"[[a||b]] begins the line", "|b begins the line"},
                                         Case{"<nowiki>|</nowiki> begins the line",
                                              "| begins the line"},
                                         Case{"[[a|* b]] is no list item", "* b is no list item"}));

INSTANTIATE_TEST_SUITE_P(
    Tags, WikitextKinds,
    testing::Values(Case{"a<ref>b</ref and c.\n\nNext line.", "a b and c.\nNext line."},
                    Case{"<nowiki>a</nowiki and b.\n\nNext line.", "a and b.\nNext line."},
                    Case{"a<ref>never closed", "a never closed"},
                    Case{"a <span title=\"b > c\">d</span> e", "a d e"},
                    Case{"a <i title='b>c'>d</i> e", "a d e"},
                    Case{"a <span class=\"<!-- > -->b\">c</span>", "a c"},
                    Case{"a <div id=\"<nowiki>b</nowiki>\">c</div>", "a\nc"},
                    Case{"a<ref name=\"b>c\" /> d", "a d"},
                    Case{"a<ref name=\"b>the \"c\" d</ref> e", "a e"},
                    Case{"<b.c> is no tag", "<b.c> is no tag"}));

INSTANTIATE_TEST_SUITE_P(Nowiki, WikitextKinds,
                         testing::Values(Case{"<nowiki>= a =</nowiki>", "= a ="},
                                         Case{"<nowiki>''a''</nowiki>", "''a''"},
                                         Case{"x <nowiki>__TOC__</nowiki>", "x __TOC__"},
                                         Case{"<nowiki>* a</nowiki> b", "* a b"},
                                         Case{"== a <nowiki>b\nc</nowiki> ==\nd", "a b c.\nd"}));

INSTANTIATE_TEST_SUITE_P(
    MagicWordsAndTables, WikitextKinds,
    testing::Values(Case{"the macro __VA_ARGS__ x", "the macro __VA_ARGS__ x"},
                    Case{"__notoc__ x", "x"}, Case{"__NOTOC__== a ==\nb", "a.\nb"},
                    Case{"__БЕЗ_ОГЛАВЛЕНИЯ__ x", "x"}, Case{":<!-- c -->:{|\n| a\n|}\nb", "b"},
                    Case{"{{x|\n{{{!}} class=y\n{{!}} a\n{{!}}}\n}}\nb", "b"}));

INSTANTIATE_TEST_SUITE_P(Variants, WikitextKinds,
                         testing::Values(Case{"a -{zh;zh-hans;zh-hant|b}- c", "a b c"},
                                         Case{"-{X=>zh:A;X=>zh-tw:B}- c", "A c"},
                                         Case{"-{T|a}-b", "b"}, Case{"-{D|zh:a}- b", "a b"},
                                         Case{"-{sr-ec:а;sr-el:a}- b", "а b"},
                                         Case{"-{R|zh:a}- b", "zh:a b"},
                                         Case{"-{a: b; c}-", "a: b; c"}));

INSTANTIATE_TEST_SUITE_P(Entities, WikitextKinds,
                         testing::Values(Case{"1939&#150;1945", "1939–1945"},
                                         Case{"a&hairsp;b", "a b"},
                                         Case{"&ccaron;&vert;&acE;", "č|∾̳"},
                                         Case{"a&#x7F;&#xFFFE;b", "ab"},
                                         Case{"&CounterClockwiseContourIntegral;x", "∳x"}));

INSTANTIATE_TEST_SUITE_P(
    EnglishTemplates, WikitextKinds,
    testing::Values(
        Case{"cost {{USD|5 million}}, {{euro|7}}, {{GBP|9}}, {{US$|2}} or {{₹|3}}",
             "cost US$5 million, €7, £9, US$2 or ₹3"},
        Case{"{{langx|fr|le mot}}", "French: le mot"},
        Case{"a {{convert|5|mi|km|adj=on}} road, {{convert|1|mi|km}} long",
             "a 5-mile road, 1 mile long"},
        Case{"{{convert|3|sqmi|adj=on}}, {{convert|3|sqmi|abbr=on}}, {{cvt|3|ft}}",
             "3-square-mile, 3 sq mi, 3 ft"},
        Case{"{{convert|5|ft|10|in|cm}}, {{convert|5|-|6|mi|0}}", "5 feet 10 inches, 5–6 miles"},
        Case{"{{sort|02|two}}, {{sortname|Ada|Lovelace}}", "two, Ada Lovelace"},
        Case{"{{sqrt|2}}, {{pi}}, {{1/2}}, {{ordinal|23}}, {{no.|4}}", "√2, π, 1/2, 23rd, No. 4"},
        Case{"{{née|Byron}}, {{fl.|1830}}, {{lit|word}}, {{BCE|link|330}}",
             "née Byron, fl. 1830, lit. 'word', 330 BCE"},
        Case{"{{height|ft=6|in=2}}, {{duration|1|2|3}}, {{age|1950|5|1|2000|4|1}}",
             "6 ft 2 in, 1:02:03, 49"},
        Case{"{{slink|Page|Part}}, {{sclass|Nimitz|carrier}}", "Page § Part, Nimitz-class carrier"},
        Case{"{{start date|1986|01|01}}, {{birth date|1993|january|14}}",
             "January 1, 1986, January 14, 1993"},
        Case{"{{birth date|df=y|1993|1|14}}, {{start-date|7 December 1941}}",
             "14 January 1993, 7 December 1941"},
        Case{"{{date|June 8 2018|mdy}}, {{date|2018-06-08|dmy}}", "June 8, 2018, 8 June 2018"},
        Case{"{{as of|2010|3}}, {{as of|March 2010|lc=y}}", "As of March 2010, as of March 2010"}));

struct LanguageCase {
  const char* language;
  const char* wikitext;
  const char* text;
};

class WikitextLanguages : public testing::TestWithParam<LanguageCase> {};

TEST_P(WikitextLanguages, TemplatesGiveWordsOfTheWikisLanguageAlone) {
  const LanguageCase& c = GetParam();
  EXPECT_EQ(prose(c.wikitext, {}, c.language), std::string(c.text) + "\n") << c.language;
}

constexpr const char* kMeasures =
    "a {{birth date|1950|3|1}}, {{birth date|1950|3}}, {{convert|5|mi|km}}, {{lang-en|The End}}";

INSTANTIATE_TEST_SUITE_P(
    Measures, WikitextLanguages,
    testing::Values(
        LanguageCase{"en", kMeasures, "a March 1, 1950, March 1950, 5 miles, English: The End"},
        LanguageCase{"de", kMeasures, "a 1. März 1950, März 1950, 5 Meilen, englisch The End"},
        LanguageCase{"fr", kMeasures, "a 1er mars 1950, mars 1950, 5 milles, en anglais : The End"},
        LanguageCase{"es", kMeasures,
                     "a 1 de marzo de 1950, marzo de 1950, 5 millas, en inglés: The End"},
        LanguageCase{"it", kMeasures, "a 1º marzo 1950, marzo 1950, 5 miglia, in inglese: The End"},
        LanguageCase{"pt", kMeasures,
                     "a 1º de março de 1950, março de 1950, 5 milhas, em inglês: The End"},
        LanguageCase{"nl", kMeasures, "a 1 maart 1950, maart 1950, 5 mijl, Engels: The End"},
        LanguageCase{"sv", kMeasures,
                     "a 1 mars 1950, mars 1950, 5 engelska mil, engelska: The End"},
        LanguageCase{"pl", kMeasures, "a 1 marca 1950, marzec 1950, 5 mil, ang. The End"},
        LanguageCase{"ru", kMeasures, "a 1 марта 1950, март 1950, 5 миль, англ. The End"},
        LanguageCase{"ja", kMeasures, "a 1950年3月1日, 1950年3月, 5マイル, 英語: The End"},
        LanguageCase{"zh", kMeasures, "a 1950年3月1日, 1950年3月, 5英里, 英语：The End"},
        LanguageCase{"uk", kMeasures, "a 1 березня 1950, березень 1950, 5 миль, англ. The End"},
        LanguageCase{"vi", kMeasures,
                     "a 1 tháng 3 năm 1950, tháng 3 năm 1950, 5 dặm, tiếng Anh: The End"},
        LanguageCase{"ar", kMeasures, "a 1 مارس 1950, مارس 1950, 5 ميل, بالإنجليزية: The End"},
        LanguageCase{"arz", kMeasures, "a 1 مارس 1950, مارس 1950, 5 ميل, بالانجليزى: The End"},
        LanguageCase{"ceb", kMeasures, "a Marso 1, 1950, Marso 1950, 5 milya, Iningles: The End"},
        LanguageCase{"war", kMeasures, "a Marso 1, 1950, Marso 1950, 5 milya, Ininglis: The End"},
        LanguageCase{"ceb", "sa {{convert|5|ft}} {{convert|5|km}}", "sa 5 km"},
        // A wiki without a table: what needs words is dropped.
        LanguageCase{"id", kMeasures, "a,,, The End"},
        LanguageCase{"id", "di {{convert|5|km|mi}}, {{birth date|1950}} x {{as of|2010}}",
                     "di 5 km, 1950 x"}));

INSTANTIATE_TEST_SUITE_P(
    OwnTemplates, WikitextLanguages,
    testing::Values(LanguageCase{"ru", "в {{s|1900}} году {{Дата|4|3|1950}}",
                                 "в 1900 году 4 марта 1950"},
                    LanguageCase{"fr", "au {{s-|XIX|e}}, {{date|4|mars|1950}}, {{unité|5|km}}",
                                 "au XIXe siècle, 4 mars 1950, 5 km"},
                    LanguageCase{"es", "del {{siglo|XIX}}", "del siglo XIX"},
                    LanguageCase{"it", "{{S|uccelli}}a {{M|5|k|m}}, {{M|7|-|°C}}", "a 5 km, 7 °C"},
                    LanguageCase{"de", "{{enS|The End}}", "englisch The End"},
                    LanguageCase{"uk", "у {{Дата народження|4|3|1950}}", "у 4 березня 1950"},
                    LanguageCase{"ar", "في {{تاريخ الميلاد|1950|3|4}} {{إنج|The End}}",
                                 "في 4 مارس 1950 بالإنجليزية: The End"},
                    LanguageCase{"zh", "{{link-en|甲|A}}", "甲"}));

TEST(WikitextOptionsTest, FormulasLeaveANumberTheirSourceOrNothing) {
  const char* const text = "Let <math>x''^2</math> and <chem>H2O</chem> be.\n:<math>y</math>";
  EXPECT_EQ(prose(text), "Let formula_1 and formula_2 be.\n");
  EXPECT_EQ(prose(text, {ListItems::kProse, true, Formulas::kText}), "Let x''^2 and H2O be.\ny\n");
  EXPECT_EQ(prose(text, {ListItems::kProse, true, Formulas::kNone}), "Let and be.\n");
  EXPECT_THROW(parse_formulas("tex"), Error);
}

TEST(SiteLanguage, WikimediaHostNamesItBeforeTheAttribute) {
  Site site;
  EXPECT_EQ(site.language(), "en");
  site.set_language("zh-hant");
  EXPECT_EQ(site.language(), "zh");
  site.set_base("https://ru.wikipedia.org/wiki/Main");
  EXPECT_EQ(site.language(), "ru");
  for (const char* other : {"https://commons.wikimedia.org/wiki/X", "https://www.wikidata.org/x",
                            "https://wiki.example.com/x", "nothing"}) {
    site.set_base(other);
    EXPECT_EQ(site.language(), "ru") << other;
  }
}

}  // namespace
}  // namespace bertha::corpus
