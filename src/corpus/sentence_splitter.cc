#include "corpus/sentence_splitter.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <unordered_set>

#include "core/strings.h"
#include "core/utf8.h"

namespace bertha::corpus {
namespace {

constexpr auto kNone = std::string_view::npos;
constexpr size_t kMaxWordBytes = 24;  ///< longer words are not abbreviations

/// Words before a name, a number or a title: a full stop after them never ends a sentence.
const std::unordered_set<std::string_view>& titles() {
  static const std::unordered_set<std::string_view> kWords = {
      "mr",     "mrs",  "ms",     "dr",  "prof", "rev", "revd", "hon",  "gen",  "col",
      "maj",    "capt", "lt",     "sgt", "cpl",  "adm", "cmdr", "gov",  "sen",  "rep",
      "pres",   "st",   "ste",    "mt",  "ft",   "fr",  "msgr", "mme",  "mlle", "mgr",
      "bp",     "abp",  "vs",     "v",   "cf",   "e.g", "i.e",  "eg",   "ie",   "viz",
      "ca",     "c",    "approx", "fig", "figs", "eq",  "eqs",  "sec",  "ch",   "chap",
      "vol",    "vols", "pp",     "p",   "nos",  "op",  "cit",  "ed",   "eds",  "trans",
      "rev'd",  "lit",  "nr",     "bzw", "z.b",  "d.h", "u.a",  "sr",   "sra",  "dott",
      "sig",    "fl",   "r",      "b",   "d",    "née", "resp", "brig", "supt", "insp",
      "messrs", "al",   "brit",   "pvt", "spc",  "sgd", "hr",   "gr",   "lat"};
  return kWords;
}

/// Words that usually stand within a sentence and sometimes at its end: the next word decides.
const std::unordered_set<std::string_view>& abbreviations() {
  static const std::unordered_set<std::string_view> kWords = {
      "etc",  "jr",   "inc", "ltd",   "corp",  "bros", "llc",  "plc",  "dept", "univ",   "assn",
      "blvd", "ph.d", "m.d", "b.a",   "m.a",   "a.m",  "p.m",  "b.c",  "a.d",  "b.c.e",  "c.e",
      "u.s",  "u.k",  "u.n", "u.s.a", "d.c",   "n.y",  "l.a",  "esq",  "tel",  "avg",    "sq",
      "lbs",  "hrs",  "ssp", "spp",   "subsp", "ext",  "exec", "dist", "prov", "u.s.s.r"};
  return kWords;
}

/// The same, but these are ordinary words when they are not capitalised.
const std::unordered_set<std::string_view>& capital_abbreviations() {
  static const std::unordered_set<std::string_view> kWords = {
      "Ave",  "Rd",   "Jan",  "Feb",  "Mar", "Apr",   "Jun",  "Jul", "Aug", "Sep",  "Sept",
      "Oct",  "Nov",  "Dec",  "Mon",  "Tue", "Wed",   "Thu",  "Fri", "Sat", "Sun",  "Art",
      "Co",   "Mass", "Conn", "Penn", "Pa",  "Va",    "Wash", "Ill", "Ind", "Mich", "Minn",
      "Miss", "Mo",   "Tenn", "Tex",  "Wis", "Ore",   "Okla", "Neb", "Nev", "Colo", "Ariz",
      "Ark",  "Ala",  "Fla",  "Ga",   "La",  "Calif", "Max",  "Min", "Est", "No",   "Nos"};
  return kWords;
}

/// Words that begin sentences far more often than they follow an abbreviation.
const std::unordered_set<std::string_view>& openers() {
  static const std::unordered_set<std::string_view> kWords = {
      "the",   "a",     "an",    "in",      "on",      "at",       "he",        "she",
      "it",    "they",  "we",    "i",       "this",    "that",     "these",     "those",
      "his",   "her",   "its",   "their",   "but",     "and",      "however",   "although",
      "when",  "while", "after", "before",  "since",   "there",    "as",        "if",
      "for",   "by",    "from",  "with",    "during",  "although", "some",      "many",
      "most",  "both",  "one",   "two",     "other",   "another",  "such",      "also",
      "later", "then",  "thus",  "because", "despite", "under",    "according", "to",
      "what",  "who",   "how",   "its",     "our",     "my",       "you",       "no",
      "not",   "even",  "until", "today",   "born"};
  return kWords;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// End marks that need no following space: Chinese, Japanese.
constexpr std::array<std::string_view, 4> kWideEnds = {"。", "！", "？", "｡"};
/// End marks that need one: Hindi, Arabic, Urdu, Armenian, Ethiopic.
constexpr std::array<std::string_view, 7> kOtherEnds = {"।", "॥", "؟", "۔", "։", "።", "‽"};
constexpr std::array<std::string_view, 14> kClosers = {"\"", "'", ")",  "]",  "}",  "”",  "’",
                                                       "»",  "›", "」", "』", "）", "】", "］"};
constexpr std::array<std::string_view, 12> kOpeners = {"\"", "'", "(", "[", "“", "‘",
                                                       "«",  "‹", "„", "¿", "¡", "「"};

/// True for bytes that can begin an end mark. All other bytes are skipped with one lookup.
constexpr std::array<bool, 256> kCanEnd = [] {
  std::array<bool, 256> can{};
  const auto add = [&can](std::string_view mark) {
    can[static_cast<uint8_t>(mark.front())] = true;
  };
  for (const std::string_view mark : {".", "!", "?", "…"}) add(mark);
  for (const std::string_view mark : kWideEnds) add(mark);
  for (const std::string_view mark : kOtherEnds) add(mark);
  return can;
}();

/// The number of bytes of the mark at the front of `text`, or 0 if it is none of `marks`. No mark
/// begins with white space or a Latin letter, the most frequent characters.
template <size_t n>
size_t match(const std::array<std::string_view, n>& marks, std::string_view text) {
  if (text.empty() || is_blank(text.front()) || is_upper(text.front()) || is_lower(text.front())) {
    return 0;
  }
  for (const std::string_view mark : marks) {
    if (text.starts_with(mark)) return mark.size();
  }
  return 0;
}

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::vector<std::string_view> run() {
    while (true) {
      while (at_ < text_.size() && !kCanEnd[static_cast<uint8_t>(text_[at_])]) ++at_;
      if (at_ == text_.size()) break;
      const size_t end = terminator_end();
      if (end == 0) {
        ++at_;
        continue;
      }
      const size_t mark = at_;
      at_ = end;
      skip_closers();
      if (ends_sentence(mark, end)) cut();
    }
    cut();
    return std::move(sentences_);
  }

 private:
  /// The end of the run of end marks at the cursor, or 0.
  size_t terminator_end() {
    size_t p = at_;
    while (p < text_.size()) {
      const char c = text_[p];
      const bool ascii = c == '.' || c == '!' || c == '?';
      const size_t length = ascii ? 1 : static_cast<uint8_t>(c) < 0x80 ? 0 : wide_length(p);
      if (length == 0) break;
      p += length;
    }
    return p == at_ ? 0 : p;
  }
  size_t wide_length(size_t p) const {
    const std::string_view rest = text_.substr(p);
    const auto lead = static_cast<uint8_t>(text_[p]);
    if (lead < 0xD6) return 0;
    return std::max({match(kWideEnds, rest), match(kOtherEnds, rest),
                     rest.starts_with("…") ? size_t{3} : size_t{0}});
  }

  void skip_closers() {
    while (at_ < text_.size()) {
      const size_t length = match(kClosers, text_.substr(at_));
      if (length == 0) return;
      at_ += length;
    }
  }

  bool ends_sentence(size_t mark, size_t end) const {
    if (at_ == text_.size()) return true;
    if (match(kWideEnds, text_.substr(mark)) > 0) return true;
    if (!is_blank(text_[at_])) return false;
    size_t next = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
    if (next == text_.size()) return true;
    const size_t quoted = match(kOpeners, text_.substr(next));
    const size_t first = std::min(next + quoted, text_.size());
    if (first == text_.size()) return true;
    // A lower-case letter continues the sentence after any mark.
    if (is_lower(text_[first])) return false;
    if (text_[mark] != '.') return can_open(first);
    const bool ellipsis = end - mark > 1;
    if (ellipsis) return starts_upper(first);
    return can_open(first) && full_stop_ends(mark, first);
  }

  bool starts_upper(size_t first) const { return !is_digit(text_[first]) && can_open(first); }

  /// Punctuation continues a sentence, as in "a. – b".
  bool can_open(size_t first) const {
    const char c = text_[first];
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) return true;
    if (static_cast<uint8_t>(c) < 0x80)
      return std::string_view("$#([\"'").find(c) != kNone ||
             (c == '.' && !is_blank(text_[first - 1]));
    const char* const p = text_.data() + first;
    const char32_t letter = decode_utf8(p, text_.data() + text_.size()).code_point;
    const bool dash = letter >= 0x2010 && letter <= 0x2027;
    return !dash || letter == 0x201C || letter == 0x2018 || letter == 0x201E;
  }

  bool full_stop_ends(size_t mark, size_t first) const {
    const std::string_view word = word_before(mark);
    if (word.empty() || text_[mark + 1] != ' ') return true;  // after a bracket or quote
    const std::string small = lower_ascii(word);
    if (titles().contains(small)) return false;
    const bool initial = word.size() == 1 && is_upper(word.front());
    const bool initials = word.size() >= 3 && word[word.size() - 2] == '.' &&
                          std::isalpha(static_cast<unsigned char>(word.back())) != 0;
    // "No. 5", "world no. 1"
    if ((small == "no" || small == "nos") && is_digit(text_[first])) return false;
    if (initial || initials || abbreviations().contains(small) ||
        (is_upper(word.front()) && capital_abbreviations().contains(word))) {
      // "J. R. R. Tolkien", "the U.S. Navy"; but "in the U.S. The navy". A single letter is one
      // more initial.
      const std::string_view next = word_at(first);
      return next.size() > 1 && openers().contains(lower_ascii(next));
    }
    return true;
  }

  /// The word that ends at `mark`; it starts after white space, a bracket or a quote.
  std::string_view word_before(size_t mark) const {
    size_t begin = mark;
    while (begin > 0 && mark - begin <= kMaxWordBytes) {
      const char c = text_[begin - 1];
      if (is_blank(c) || c == '(' || c == '[' || c == '"' || c == '-' || c == '/') break;
      --begin;
    }
    return text_.substr(begin, mark - begin);
  }
  std::string_view word_at(size_t first) const {
    size_t end = first;
    while (end < text_.size() && end - first <= kMaxWordBytes &&
           std::isalpha(static_cast<unsigned char>(text_[end])) != 0) {
      ++end;
    }
    return text_.substr(first, end - first);
  }

  void cut() {
    std::string_view sentence = text_.substr(begin_, at_ - begin_);
    begin_ = at_;
    const size_t first = sentence.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return;
    const size_t last = sentence.find_last_not_of(" \t\r\n");
    sentences_.push_back(sentence.substr(first, last - first + 1));
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t begin_ = 0;
  std::vector<std::string_view> sentences_;
};

}  // namespace

std::vector<std::string_view> split_sentences(std::string_view text) {
  return Splitter(text).run();
}

}  // namespace bertha::corpus
