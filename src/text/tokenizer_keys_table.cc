#include "text/tokenizer_keys.h"

namespace bertha::text {
namespace {

using Action = TokenizerKey::Action;

constexpr Action kObeyed = Action::kObeyed;
constexpr Action kRefused = Action::kRefused;
constexpr Action kIgnored = Action::kIgnored;

constexpr const char* kJson = "tokenizer.json";
constexpr const char* kConfig = "tokenizer_config.json";
constexpr const char* kMap = "special_tokens_map.json";
constexpr const char* kAdded = "added_tokens.json";

constexpr const char* kOfDecoding = "it concerns the way back from tokens to text";
constexpr const char* kOfPadding = "sequences lie end to end, so there is no padding";
constexpr const char* kOfSaving = "it says where the folder came from";
constexpr const char* kOfReturning = "it concerns what a Python call returns";
constexpr const char* kSpecialToken = "a special token, by its content";

constexpr TokenizerKey kKeys[] = {
    {kJson, "", "version", kIgnored, "there is one version of the format"},
    {kJson, "", "truncation", kObeyed, "null, or the object below"},
    {kJson, "", "padding", kIgnored, kOfPadding},
    {kJson, "", "added_tokens", kObeyed, "a list of the objects below"},
    {kJson, "", "normalizer", kObeyed, "null, or one of the objects below"},
    {kJson, "", "pre_tokenizer", kObeyed, "null, or one of the objects below"},
    {kJson, "", "post_processor", kObeyed, "null, or one of the objects below"},
    {kJson, "", "decoder", kIgnored, kOfDecoding},
    {kJson, "", "model", kObeyed, "the object below"},

    {kJson, "truncation", "direction", kObeyed, "Right or Left"},
    {kJson, "truncation", "max_length", kObeyed, "tokens with special tokens"},
    {kJson, "truncation", "strategy", kObeyed, "LongestFirst, OnlyFirst or OnlySecond"},
    {kJson, "truncation", "stride", kIgnored, "what is cut off is not used"},

    {kJson, "added_tokens", "id", kObeyed,
     "the place in the vocabulary, or the next one behind it"},
    {kJson, "added_tokens", "content", kObeyed, "the string that is found in a text"},
    {kJson, "added_tokens", "single_word", kObeyed, "not found inside a word"},
    {kJson, "added_tokens", "lstrip", kObeyed, "takes the white space before it"},
    {kJson, "added_tokens", "rstrip", kObeyed, "takes the white space behind it"},
    {kJson, "added_tokens", "normalized", kObeyed, "found in the normalized text"},
    {kJson, "added_tokens", "special", kObeyed, "written again by convert; it changes no token"},

    {kJson, "normalizer BertNormalizer", "type", kObeyed, "BERT's text cleaning"},
    {kJson, "normalizer BertNormalizer", "clean_text", kObeyed, "removes control characters"},
    {kJson, "normalizer BertNormalizer", "handle_chinese_chars", kObeyed,
     "sets Chinese characters apart"},
    {kJson, "normalizer BertNormalizer", "strip_accents", kObeyed, "null: as lowercase"},
    {kJson, "normalizer BertNormalizer", "lowercase", kObeyed, "converts to lower case"},
    {kJson, "normalizer Sequence", "type", kObeyed, "normalizers in their order"},
    {kJson, "normalizer Sequence", "normalizers", kObeyed, "a list of normalizers"},
    {kJson, "normalizer NFC", "type", kObeyed, "a normalization form of Unicode"},
    {kJson, "normalizer NFD", "type", kObeyed, "a normalization form of Unicode"},
    {kJson, "normalizer NFKC", "type", kObeyed, "a normalization form of Unicode"},
    {kJson, "normalizer NFKD", "type", kObeyed, "a normalization form of Unicode"},
    {kJson, "normalizer Lowercase", "type", kObeyed, "converts to lower case"},
    {kJson, "normalizer StripAccents", "type", kObeyed, "removes marks, without decomposition"},
    {kJson, "normalizer Strip", "type", kObeyed, "removes white space at the ends"},
    {kJson, "normalizer Strip", "strip_left", kObeyed, "at the start"},
    {kJson, "normalizer Strip", "strip_right", kObeyed, "at the end"},
    {kJson, "normalizer Replace", "type", kObeyed, "replaces a string"},
    {kJson, "normalizer Replace", "pattern", kObeyed,
     "{\"String\": …}; regular expressions are refused"},
    {kJson, "normalizer Replace", "content", kObeyed, "what replaces it"},

    {kJson, "pre_tokenizer BertPreTokenizer", "type", kObeyed, "white space, then punctuation"},
    {kJson, "pre_tokenizer Whitespace", "type", kObeyed, "runs of \\w and of other characters"},
    {kJson, "pre_tokenizer WhitespaceSplit", "type", kObeyed, "splits at white space alone"},
    {kJson, "pre_tokenizer Punctuation", "type", kObeyed, "splits at punctuation"},
    {kJson, "pre_tokenizer Punctuation", "behavior", kObeyed,
     "Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous"},
    {kJson, "pre_tokenizer Digits", "type", kObeyed, "splits at digits"},
    {kJson, "pre_tokenizer Digits", "individual_digits", kObeyed, "each digit is a word"},
    {kJson, "pre_tokenizer CharDelimiterSplit", "type", kObeyed, "splits at a character"},
    {kJson, "pre_tokenizer CharDelimiterSplit", "delimiter", kObeyed, "the character"},
    {kJson, "pre_tokenizer Split", "type", kObeyed, "splits at a string"},
    {kJson, "pre_tokenizer Split", "pattern", kObeyed,
     "{\"String\": …}; regular expressions are refused"},
    {kJson, "pre_tokenizer Split", "behavior", kObeyed, "as for Punctuation"},
    {kJson, "pre_tokenizer Split", "invert", kObeyed,
     "keeps the string and splits at what is between"},
    {kJson, "pre_tokenizer Sequence", "type", kObeyed, "pre-tokenizers in their order"},
    {kJson, "pre_tokenizer Sequence", "pretokenizers", kObeyed, "a list of pre-tokenizers"},

    {kJson, "post_processor TemplateProcessing", "type", kObeyed, "special tokens by a template"},
    {kJson, "post_processor TemplateProcessing", "single", kObeyed, "for one text"},
    {kJson, "post_processor TemplateProcessing", "pair", kObeyed, "for two texts"},
    {kJson, "post_processor TemplateProcessing", "special_tokens", kObeyed, "ids by name"},
    {kJson, "post_processor BertProcessing", "type", kObeyed, "[CLS] A [SEP] B [SEP]"},
    {kJson, "post_processor BertProcessing", "sep", kObeyed, "content and id"},
    {kJson, "post_processor BertProcessing", "cls", kObeyed, "content and id"},
    {kJson, "post_processor RobertaProcessing", "type", kObeyed,
     "<s> A </s> </s> B </s>, all in segment 0"},
    {kJson, "post_processor RobertaProcessing", "sep", kObeyed, "content and id"},
    {kJson, "post_processor RobertaProcessing", "cls", kObeyed, "content and id"},
    {kJson, "post_processor RobertaProcessing", "trim_offsets", kIgnored,
     "WordPiece tokens hold no white space"},
    {kJson, "post_processor RobertaProcessing", "add_prefix_space", kIgnored,
     "WordPiece tokens hold no white space"},
    {kJson, "post_processor Sequence", "type", kObeyed, "of a single post-processor"},
    {kJson, "post_processor Sequence", "processors", kObeyed, "a list of one post-processor"},

    {kJson, "model WordPiece", "type", kObeyed, "the only type"},
    {kJson, "model WordPiece", "vocab", kObeyed, "pieces and their ids, from 0 without a gap"},
    {kJson, "model WordPiece", "unk_token", kObeyed, "the token of an unknown word"},
    {kJson, "model WordPiece", "continuing_subword_prefix", kObeyed,
     "the mark of pieces that continue a word"},
    {kJson, "model WordPiece", "max_input_chars_per_word", kObeyed,
     "a longer word is an unknown word"},

    {kConfig, "", "tokenizer_class", kObeyed,
     "BertTokenizer and its kin, or PreTrainedTokenizerFast with a tokenizer.json; others are "
     "refused"},
    {kConfig, "", "do_lower_case", kObeyed, "converts to lower case"},
    {kConfig, "", "strip_accents", kObeyed, "null: as do_lower_case"},
    {kConfig, "", "tokenize_chinese_chars", kObeyed, "sets Chinese characters apart"},
    {kConfig, "", "clean_text", kObeyed, "removes control characters"},
    {kConfig, "", "wordpieces_prefix", kObeyed, "the mark of pieces that continue a word"},
    {kConfig, "", "do_basic_tokenize", kRefused, "[true]"},
    {kConfig, "", "never_split", kRefused, "[null, []]"},
    {kConfig, "", "unk_token", kObeyed, kSpecialToken},
    {kConfig, "", "sep_token", kObeyed, kSpecialToken},
    {kConfig, "", "pad_token", kObeyed, kSpecialToken},
    {kConfig, "", "cls_token", kObeyed, kSpecialToken},
    {kConfig, "", "mask_token", kObeyed, kSpecialToken},
    {kConfig, "", "bos_token", kObeyed, kSpecialToken},
    {kConfig, "", "eos_token", kObeyed, kSpecialToken},
    {kConfig, "", "additional_special_tokens", kObeyed, "a list of special tokens"},
    {kConfig, "", "extra_special_tokens", kObeyed,
     "a list, or an object by name, of special tokens"},
    {kConfig, "", "added_tokens_decoder", kObeyed, "added tokens by id, as in tokenizer.json"},
    {kConfig, "", "model_max_length", kObeyed,
     "the most tokens of embed, where no other file says it"},
    {kConfig, "", "max_len", kObeyed, "the older name of model_max_length"},
    {kConfig, "", "truncation_side", kObeyed, "right or left"},
    {kConfig, "", "model_input_names", kObeyed,
     "without token_type_ids all tokens are in segment 0"},
    {kConfig, "", "padding_side", kRefused, "[\"right\"]"},
    {kConfig, "", "split_special_tokens", kRefused, "[false]"},
    {kConfig, "", "auto_map", kRefused, "[null, {}]"},
    {kConfig, "", "add_bos_token", kRefused, "[null, false]"},
    {kConfig, "", "add_eos_token", kRefused, "[null, false]"},
    {kConfig, "", "add_special_tokens", kRefused, "[null, true]"},
    {kConfig, "", "add_prefix_space", kRefused, "[null, false]"},
    {kConfig, "", "word_tokenizer_type", kRefused, "[null, \"basic\"]"},
    {kConfig, "", "subword_tokenizer_type", kRefused, "[null, \"wordpiece\"]"},
    {kConfig, "", "do_word_tokenize", kRefused, "[null, true]"},
    {kConfig, "", "do_subword_tokenize", kRefused, "[null, true]"},
    {kConfig, "", "mecab_kwargs", kRefused, "[null]"},
    {kConfig, "", "sudachi_kwargs", kRefused, "[null]"},
    {kConfig, "", "jumanpp_kwargs", kRefused, "[null]"},
    {kConfig, "", "sp_model_kwargs", kRefused, "[null, {}]"},
    {kConfig, "", "keep_accents", kRefused, "[null]"},
    {kConfig, "", "remove_space", kRefused, "[null]"},
    {kConfig, "", "merges_file", kRefused, "[null]"},
    {kConfig, "", "normalization", kRefused, "[null, false]"},
    {kConfig, "", "max_length", kIgnored, "it holds for Python calls that ask for truncation"},
    {kConfig, "", "stride", kIgnored, "what is cut off is not used"},
    {kConfig, "", "truncation_strategy", kIgnored,
     "it holds for Python calls that ask for truncation"},
    {kConfig, "", "truncation", kIgnored, "it holds for Python calls that ask for truncation"},
    {kConfig, "", "padding", kIgnored, kOfPadding},
    {kConfig, "", "pad_to_multiple_of", kIgnored, kOfPadding},
    {kConfig, "", "pad_token_type_id", kIgnored, kOfPadding},
    {kConfig, "", "pad_token_id", kIgnored, kOfPadding},
    {kConfig, "", "clean_up_tokenization_spaces", kIgnored, kOfDecoding},
    {kConfig, "", "spaces_between_special_tokens", kIgnored, kOfDecoding},
    {kConfig, "", "chat_template", kIgnored, "BERT models do not chat"},
    {kConfig, "", "name_or_path", kIgnored, kOfSaving},
    {kConfig, "", "tokenizer_file", kIgnored, kOfSaving},
    {kConfig, "", "special_tokens_map_file", kIgnored, kOfSaving},
    {kConfig, "", "full_tokenizer_file", kIgnored, kOfSaving},
    {kConfig, "", "vocab_file", kIgnored, kOfSaving},
    {kConfig, "", "added_tokens_file", kIgnored, kOfSaving},
    {kConfig, "", "init_inputs", kIgnored, kOfSaving},
    {kConfig, "", "local_files_only", kIgnored, kOfSaving},
    {kConfig, "", "is_local", kIgnored, kOfSaving},
    {kConfig, "", "processor_class", kIgnored, "it names a class for images or sound"},
    {kConfig, "", "backend", kIgnored, "all programs read the same files"},
    {kConfig, "", "use_fast", kIgnored, "all programs read the same files"},
    {kConfig, "", "from_slow", kIgnored, "all programs read the same files"},
    {kConfig, "", "legacy", kIgnored, "it concerns SentencePiece"},
    {kConfig, "", "verbose", kIgnored, "it concerns messages of Python"},
    {kConfig, "", "errors", kIgnored, "it concerns byte-level tokenizers"},
    {kConfig, "", "return_token_type_ids", kIgnored, kOfReturning},
    {kConfig, "", "return_tensors", kIgnored, kOfReturning},

    {kMap, "", "unk_token", kObeyed, kSpecialToken},
    {kMap, "", "sep_token", kObeyed, kSpecialToken},
    {kMap, "", "pad_token", kObeyed, kSpecialToken},
    {kMap, "", "cls_token", kObeyed, kSpecialToken},
    {kMap, "", "mask_token", kObeyed, kSpecialToken},
    {kMap, "", "bos_token", kObeyed, kSpecialToken},
    {kMap, "", "eos_token", kObeyed, kSpecialToken},
    {kMap, "", "additional_special_tokens", kObeyed, "a list of special tokens"},

    {kAdded, "", "*", kObeyed, "a token and its id, behind the vocabulary"},
};

}  // namespace

std::span<const TokenizerKey> tokenizer_keys() {
  return kKeys;
}

}  // namespace bertha::text
