//! Server access logs of S3 (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>).

use super::{number, put_all, text, times};
use crate::access::plan::{Row, What};
use crate::request::Texts;
use crate::time::{Calendar, TimeFormat};
use crate::words::{Values, failed, requested};
use crate::{List, Parse, Parsed};

/// Reads lines of S3.
#[derive(Debug)]
pub struct S3Parser {
    columns: Vec<What>,
}

const PROBLEM: &str = "expected owner, bucket, [time], address, requester, request id and operation, as S3's access log has them";

impl S3Parser {
    /// All its columns.
    pub fn new() -> Self {
        let columns = vec![
            text("aws.s3access.bucket_owner"),
            text("aws.s3access.bucket"),
            What::Time(times("clf")),
            What::Client,
            text("aws.s3access.requester"),
            text("http.request.id"),
            text("event.action"),
            text("aws.s3access.key"),
            What::Request,
            What::Status,
            text("error.code"),
            What::BodyBytes,
            number("aws.s3access.object_size"),
            What::Duration(1_000_000),
            number("aws.s3access.turn_around_time"),
            What::Referrer,
            What::UserAgent,
            text("aws.s3access.version_id"),
            text("aws.s3access.host_id"),
            text("aws.s3access.signature_version"),
            text("tls.cipher"),
            text("aws.s3access.authentication_type"),
            What::Host,
            What::TlsVersion,
            text("aws.s3access.access_point_arn"),
            text("aws.s3access.acl_required"),
            text("aws.s3access.source_region"),
        ];
        Self { columns }
    }
}

impl Parse for S3Parser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        let values = Values::literal(line);
        let is_time = calendar.tell(TimeFormat::Clf, values.at(2)).is_some();
        // The first version had 17 columns. Behind what a client calls itself, the signature tells that no quote
        // of it ended a value.
        let signature = values.at(19);
        let is_signature = matches!(signature, b"" | b"-") || signature.starts_with(b"SigV");
        if !is_time || values.list().len() < 17 || !is_signature {
            return failed(None, PROBLEM);
        }
        let mut row = Row::default();
        put_all(&self.columns, &values, calendar, &mut row, others);
        let Row { mut fields, time, problem } = row;
        fields.texts = Texts::Literal;
        requested(time, fields, problem)
    }
}
