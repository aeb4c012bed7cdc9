# bash completion for holdfast(1). holdfast itself knows what can come next.
_holdfast() {
	local IFS=$'\n' word
	# A word with ":" or "=" in it is one word to holdfast; bash may have split it.
	local line=${COMP_LINE:0:COMP_POINT} words
	IFS=' ' read -ra words <<<"$line"
	[[ $line == *' ' ]] && words+=('')
	COMPREPLY=()
	while IFS=$'\t' read -r word _; do
		# Only what follows the last break is to be put in.
		if [[ ${words[-1]} == *[:=@]* && $COMP_WORDBREAKS == *[:=@]* ]]; then
			word=${word#"${words[-1]%"${words[-1]##*[:=@]}"}"}
		fi
		COMPREPLY+=("$word")
	done < <(holdfast complete -- "${words[@]:1}" 2>/dev/null)
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o default -F _holdfast holdfast
