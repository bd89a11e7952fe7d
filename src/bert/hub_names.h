#pragma once

// The names that transformers gives to the tensors of RoBERTa- and DistilBERT-type models, and
// those of the parameter table.

#include <optional>
#include <string>
#include <string_view>

#include "bert/config.h"

namespace bertha::bert {

/// The table's name for a tensor of a RoBERTa- or DistilBERT-type model; nothing for a name that
/// is of neither. Names without "roberta." before "embeddings." and "encoder." are BERT's own.
std::optional<std::string> from_hub_name(std::string_view name);

/// The family whose names this one is among; nothing for names that several families have.
std::optional<ModelFamily> family_of_name(std::string_view name);

/// The name under which a class of this family keeps a parameter. `classifies_sequences`: the class
/// is ForSequenceClassification, where RoBERTa's pooler is a part of the classifier.
std::string to_hub_name(std::string parameter, ModelFamily family, bool classifies_sequences);

}  // namespace bertha::bert
