package cli

import (
	"github.com/holdfast/holdfast/cli/add"
	"github.com/holdfast/holdfast/cli/check"
	"github.com/holdfast/holdfast/cli/completion"
	"github.com/holdfast/holdfast/cli/help"
	"github.com/holdfast/holdfast/cli/importexport"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/trust"
	"github.com/holdfast/holdfast/cli/verb"
)

// verbs are all verbs in the order of help.
func verbs() verb.List {
	return verb.List{
		listVerb(), statusVerb(), topVerb(), logsVerb(), historyVerb(),
		upVerb(), downVerb(), restartVerb(), reconnectVerb(), enableVerb(), disableVerb(),
		add.Verb(bringUp), setVerb(), editVerb(), showVerb(), renameVerb(), cloneVerb(), removeVerb(), importexport.ImportVerb(), importexport.ExportVerb(),
		check.Verb(), check.ExplainVerb(), trust.Verb(),
		metricsVerb(), demoVerb(), completion.Verb(), versionVerb(), help.Verb(verbs),
	}
}

// bringUp runs holdfast up NAME.
func bringUp(s *session.Session, name string) error {
	v, err := verbs().Find("up")
	if err != nil {
		return err
	}
	return runVerb(s, v, []string{name})
}
