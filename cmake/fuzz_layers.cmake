# The highest layer that a target of fuzz/ reads for: what its program is linked with.
set(BERTHA_FUZZ_LAYERS
  config=bert conll=tasks dump=corpus http_request=serve kserve_tensors=serve manifest=prepare
  measured_steps=plan pickle=io request_json=serve sentence_modules=infer sentences=corpus
  serve_routes=serve shard=dataset snappy=io squad=tasks table=tasks tf_bundle=io tokenizer=text
  tokenizer_config=text tokenizer_json=text vocabulary=text weights=io weights_index=io
  wikitext=corpus zip=io)

# bertha_fuzz_layer(result source): the layer of a target's source.
function(bertha_fuzz_layer result source)
  get_filename_component(name ${source} NAME_WE)
  foreach(row ${BERTHA_FUZZ_LAYERS})
    if(row MATCHES "^${name}=(.*)$")
      set(${result} ${CMAKE_MATCH_1} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "cmake/fuzz_layers.cmake does not name the layer of fuzz/${name}.cc")
endfunction()
