// Makes the pipelines of jobs.json, and their triggers with them, which so work before the first run. What is declared
// is read as data: a name or a branch can never become a part of this script.
import groovy.json.JsonSlurper

List declared = (List) new JsonSlurper().parse(new File('/etc/mooring/jobs/jobs.json'), 'UTF-8')

declared.each { Map job ->
    boolean onPush = job.event == 'push'
    pipelineJob((String) job.name) {
        description((String) job.description)
        if (job.environment) {
            parameters {
                job.environment.each { String variable, String value ->
                    stringParam(variable, value, 'Declared by jenkins_dood_jobs.')
                }
            }
        }
        // The job's and not the Jenkinsfile's: each reload writes the job anew, and knows only what is here.
        logRotator {
            numToKeep(50)
        }
        properties {
            // Two at once would work in one repository of images, and the second deployment would be refused.
            disableConcurrentBuilds()
            if (job.gitlab) {
                gitLabConnection {
                    gitLabConnection((String) job.gitlab)
                }
            }
            if (job.token) {
                pipelineTriggers {
                    triggers {
                        gitlab {
                            // Jenkins keeps it encrypted.
                            secretToken(new File('/run/secrets', (String) job.token).getText('UTF-8').trim())
                            triggerOnPush(onPush)
                            triggerOnMergeRequest(!onPush)
                            triggerOpenMergeRequestOnPush(onPush ? 'never' : 'source')
                            triggerOnNoteRequest(false)
                            skipWorkInProgressMergeRequest(true)
                            ciSkip(true)
                            branchFilterType('NameBasedFilter')
                            // Of a push the branch itself, of a merge request the one that it is for.
                            includeBranchesSpec((String) job.branch)
                            excludeBranchesSpec('')
                        }
                    }
                }
            }
        }
        definition {
            cpsScm {
                scm {
                    git {
                        remote {
                            name('origin')
                            url((String) job.repository)
                            if (job.credential) {
                                credentials((String) job.credential)
                            }
                        }
                        // The variable is the plugin's: the branch that the merge request comes from, of this very
                        // repository. What comes from a fork is a stranger's, and is not found.
                        branch(onPush ? "refs/heads/${job.branch}".toString() : 'origin/${gitlabSourceBranch}')
                    }
                }
                scriptPath((String) job.script)
                // A shallow look at the script alone knows no variables in a branch.
                lightweight(onPush)
            }
        }
    }
}
