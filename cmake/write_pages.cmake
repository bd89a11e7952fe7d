# cmake -DPROGRAM=bertha -DFOLDER=share -P write_pages.cmake: writes the completions and the manual
# pages that the program prints, where shells and man look for them below a prefix's share/.
function(write_page file)
  execute_process(COMMAND ${PROGRAM} completion ${ARGN} OUTPUT_FILE ${file}
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# The page of a command, then those of the commands below it, which its section COMMANDS lists.
# `page` is the command with hyphens for spaces; ARGN are its words after "bertha".
function(write_manual page)
  set(file ${FOLDER}/man/man1/${page}.1)
  write_page(${file} man ${ARGN})
  file(READ ${file} text)
  string(REPLACE "\\-" "-" text "${text}")
  string(REGEX MATCHALL "fB${page}-[a-z0-9-]+.fR.1" entries "${text}")
  foreach(entry ${entries})
    string(REGEX REPLACE "^fB${page}-([a-z0-9-]+).fR.1$" "\\1" word ${entry})
    write_manual(${page}-${word} ${ARGN} ${word})
  endforeach()
endfunction()

set(zsh ${FOLDER}/zsh/site-functions)
set(bash ${FOLDER}/bash-completion/completions)
set(fish ${FOLDER}/fish/vendor_completions.d)
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${zsh} ${bash} ${fish} ${FOLDER}/man/man1)
write_page(${bash}/bertha bash)
write_page(${zsh}/_bertha zsh)
write_page(${fish}/bertha.fish fish)
write_manual(bertha)
