#include "serve/routes/sentence_similarity.h"

#include <iterator>
#include <utility>

namespace bertha::serve {

FieldTable<SentenceFields> SentenceFields::fields() {
  FieldTable<SentenceFields> table;
  table.required("source_sentence", &SentenceFields::source_sentence, "The text to compare")
      .required("sentences", &SentenceFields::sentences, "Texts to compare it with");
  return table;
}

FieldTable<SimilarityParameters> SimilarityParameters::fields() {
  FieldTable<SimilarityParameters> table;
  table.optional("prompt_name", &SimilarityParameters::prompt_name,
                 "A prompt of the model's folder");
  return add_truncation(table);
}

FieldTable<SimilarityBody> SimilarityBody::fields() {
  FieldTable<SimilarityBody> table;
  table.required("inputs", &SimilarityBody::inputs, "The texts")
      .optional("parameters", &SimilarityBody::parameters, "How texts are read");
  return table;
}

void answer_similarity(const std::string& model, SimilarityBody body, const CallRef& call) {
  call->begin(Task::kEmbed, model, std::ssize(body.inputs.sentences));
  call->service().similarity(model,
                             {.source = std::move(body.inputs.source_sentence),
                              .sentences = std::move(body.inputs.sentences),
                              .prompt_name = std::move(body.parameters.prompt_name),
                              .truncation = body.parameters.truncation()},
                             call->context(),
                             answer_with<SimilarityResult>(call, 1, [](SimilarityResult& result) {
                               return JsonWriter().numbers(result.cosines).take();
                             }));
}

}  // namespace bertha::serve
