#pragma once

// The CoNLL part of tagged_sentences.h. For tagged_sentences.cc only.

#include <string>
#include <string_view>

#include "tasks/tagging/tagged_sentences.h"

namespace bertha::tasks {

void read_conll(std::string_view contents, const TagColumns& columns, TaggedFile& file);

}  // namespace bertha::tasks
