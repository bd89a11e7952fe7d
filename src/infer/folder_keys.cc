#include "infer/folder_keys.h"

#include "bert/config.h"
#include "infer/sentence_modules.h"

namespace bertha::infer {

std::string folder_keys_page() {
  return "# Keys of a model's files\n\n"
         "What Bertha does with each key of the files of Hugging Face and sentence-transformers\n"
         "folders. **obeyed**: the value changes the result, and all its values are implemented.\n"
         "**checked**: the note lists the values that are implemented; any other value is an "
         "error\n"
         "that names the key. **ignored**: no value can change the result. A key that is in none "
         "of\n"
         "these tables is reported once and ignored. [tokenizer-files.md](tokenizer-files.md) "
         "lists\n"
         "the keys of the tokenizer's files.\n\n"
         "This page is generated from the tables that read the files; a test compares them.\n\n" +
         bert::config_keys_section() + sentence_keys_sections();
}

}  // namespace bertha::infer
