//! Authorities that are not ours: `openssl ca`, in a folder.
#![allow(dead_code)] // Each test program uses its own part of this.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// From when and until when things are valid where that does not matter.
pub const EVER: (&str, &str) = ("20250101000000Z", "20450101000000Z");

/// The extensions of an authority.
pub const AUTHORITY: &str = "basicConstraints=critical,CA:true\n\
    keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash";

/// The extensions of a client with these alternative names.
pub fn client(names: &str) -> String {
    format!(
        "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n\
         extendedKeyUsage=clientAuth\nauthorityKeyIdentifier=keyid\nsubjectAltName={names}"
    )
}

/// An authority.
pub struct Ca {
    folder: PathBuf,
    name: String,
}

/// A certificate with its key.
#[derive(Clone)]
pub struct Leaf {
    pub pem: String,
    pub key: String,
    file: PathBuf,
}

impl Leaf {
    pub fn der(&self) -> Vec<u8> {
        der(self.pem.as_bytes())
    }
}

/// The first block of a text.
pub fn der(pem: &[u8]) -> Vec<u8> {
    let all = skms_pki::ask::blocks(pem, skms_pki::ask::CERTIFICATES).unwrap();
    all[0].to_vec()
}

fn openssl(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let done = Command::new("openssl")
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{arguments:?}: {said}");
    done.stdout
}

impl Ca {
    /// A root.
    pub fn root(folder: &Path, name: &str, subject: &str, extensions: &str) -> Self {
        let ca = Self::begin(folder, name);
        ca.request(name, subject);
        let own = [&ca.config()[..], "-selfsign"].join(" ");
        let own: Vec<&str> = own.split(' ').collect();
        let (request, out) = (format!("{name}.csr"), format!("{name}.pem"));
        let files = ["-in", &request, "-out", &out, "-keyfile"];
        let key = format!("{name}.key");
        ca.sign(&[&own[..], &files, &[&key]].concat(), extensions, EVER);
        ca
    }

    /// An authority that this one certifies.
    pub fn below(&self, name: &str, subject: &str, extensions: &str) -> Self {
        let made = self.issue(name, subject, extensions, EVER);
        let ca = Self::begin(&self.folder, name);
        fs::write(self.folder.join(format!("{name}.pem")), made.pem).unwrap();
        ca
    }

    fn begin(folder: &Path, name: &str) -> Self {
        let write = |ending: &str, text: &str| {
            fs::write(folder.join(format!("{name}.{ending}")), text).unwrap();
        };
        write("index", "");
        write("index.attr", "unique_subject = no\n");
        write("serial", "1000\n");
        write("crlnumber", "10\n");
        write(
            "cnf",
            &format!(
                "[ca]\ndefault_ca=d\n[d]\ndatabase={name}.index\nnew_certs_dir=.\n\
                 serial={name}.serial\ncrlnumber={name}.crlnumber\ncertificate={name}.pem\n\
                 private_key={name}.key\ndefault_md=sha256\npolicy=p\nunique_subject=no\n\
                 rand_serial=yes\ncrl_extensions=c\n[c]\nauthorityKeyIdentifier=keyid\n\
                 [u]\nauthorityKeyIdentifier=keyid\nissuingDistributionPoint=critical,@i\n\
                 [i]\nonlyuser=TRUE\n\
                 [p]\norganizationName=optional\ncommonName=optional\n"
            ),
        );
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
        }
    }

    fn config(&self) -> String {
        format!("ca -batch -notext -utf8 -config {}.cnf", self.name)
    }

    fn request(&self, name: &str, subject: &str) {
        let (key, out) = (format!("{name}.key"), format!("{name}.csr"));
        let curve = "ec_paramgen_curve:P-256";
        let new = ["req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", curve];
        let more = ["-keyout", &key, "-out", &out, "-subj", subject, "-utf8"];
        openssl(&self.folder, &[&new[..], &more].concat());
    }

    fn sign(&self, arguments: &[&str], extensions: &str, (from, until): (&str, &str)) {
        fs::write(self.folder.join("extensions"), extensions).unwrap();
        let more = ["-extfile", "extensions", "-startdate", from];
        let all = [arguments, &more, &["-enddate", until]].concat();
        openssl(&self.folder, &all);
    }

    /// A certificate.
    pub fn issue(&self, name: &str, subject: &str, extensions: &str, dates: (&str, &str)) -> Leaf {
        self.request(name, subject);
        let (request, out) = (format!("{name}.csr"), format!("{name}.pem"));
        let config = self.config();
        let own: Vec<&str> = config.split(' ').collect();
        let files = ["-in", &request, "-out", &out];
        self.sign(&[&own[..], &files].concat(), extensions, dates);
        let read = |ending: &str| {
            fs::read_to_string(self.folder.join(format!("{name}.{ending}"))).unwrap()
        };
        let file = self.folder.join(format!("{name}.issued"));
        fs::write(&file, read("pem")).unwrap();
        Leaf {
            pem: read("pem"),
            key: read("key"),
            file,
        }
    }

    /// The certificate (PEM) of an authority that is somebody else's, by its
    /// request (DER).
    pub fn certify(&self, name: &str, request: &[u8]) -> Vec<u8> {
        let named = |ending: &str| format!("{name}.{ending}");
        fs::write(self.folder.join(named("der")), request).unwrap();
        let (from, csr, out) = (named("der"), named("csr"), named("pem"));
        let read = ["req", "-inform", "DER", "-in", &from, "-out", &csr];
        openssl(&self.folder, &read);
        let config = self.config();
        let own: Vec<&str> = config.split(' ').collect();
        let files = ["-in", &csr, "-out", &out];
        self.sign(&[&own[..], &files].concat(), AUTHORITY, EVER);
        fs::read(self.folder.join(out)).unwrap()
    }

    /// A client's certificate with these alternative names.
    pub fn client(&self, name: &str, names: &str) -> Leaf {
        let subject = format!("/O=Corp/CN={name}");
        self.issue(name, &subject, &client(names), EVER)
    }

    /// Revokes it, for the lists that follow.
    pub fn revoke(&self, leaf: &Leaf) {
        let file = leaf.file.display().to_string();
        let config = self.config();
        let own: Vec<&str> = config.split(' ').collect();
        openssl(&self.folder, &[&own[..], &["-revoke", &file]].concat());
    }

    /// The next list, PEM, from and until when it counts.
    pub fn crl(&self, dates: (&str, &str)) -> Vec<u8> {
        self.list(dates, "c")
    }

    /// The next list of a scope of its own: certificates of no authorities.
    pub fn crl_of_users(&self, dates: (&str, &str)) -> Vec<u8> {
        self.list(dates, "u")
    }

    fn list(&self, (last, next): (&str, &str), extensions: &str) -> Vec<u8> {
        let config = self.config();
        let own: Vec<&str> = config.split(' ').collect();
        let dates = ["-gencrl", "-crl_lastupdate", last, "-crl_nextupdate", next];
        let more = ["-crlexts", extensions];
        openssl(&self.folder, &[&own[..], &dates, &more].concat())
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> Vec<u8> {
        fs::read(self.folder.join(format!("{}.pem", self.name))).unwrap()
    }
}

impl Leaf {
    /// The certificate that an authority below was given.
    pub fn of_authority(folder: &Path, name: &str) -> Self {
        let file = folder.join(format!("{name}.pem"));
        Self {
            pem: fs::read_to_string(&file).unwrap(),
            key: String::new(),
            file,
        }
    }
}
