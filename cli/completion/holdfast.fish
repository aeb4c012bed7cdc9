# fish completion for holdfast(1). holdfast itself knows what can come next.
function __holdfast_complete
    set -l words (commandline -opc) (commandline -ct)
    holdfast complete -- $words[2..] 2>/dev/null
end
complete -c holdfast -f -a '(__holdfast_complete)'
