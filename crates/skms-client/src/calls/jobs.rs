//! Re-encryption jobs.

use skms_wire::native::jobs::{
    CreateJobRequest, JobBatchRequest, JobBatchResponse, JobReport, JobView, UpdateJobRequest,
};

calls! {
    /// Makes a job for a key.
    json create_job ["job-create"] (keyring, key) send CreateJobRequest => JobView;
    /// A page of the jobs.
    page jobs ["job-list"] () => JobView;
    /// Shows a job.
    json job ["job-read"] (job) => JobView;
    /// Pauses, resumes, finishes or cancels a job.
    json update_job ["job-update"] (job) send UpdateJobRequest => JobView;
    /// Moves the next batch.
    json run_job_batch ["job-batch"] (job) send JobBatchRequest => JobBatchResponse;
    /// Gives the signed report of a job.
    json job_report ["job-report"] (job) => JobReport;
}
