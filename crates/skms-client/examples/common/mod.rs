//! A client from the settings that every program of the house takes: the file
//! that `skms init` writes, and the environment.

use std::error::Error;
use std::fs;

use skms_client::settings::{Overrides, Resolved, Token};
use skms_client::wire::SecretText;
use skms_client::{Config, Identity};

/// Reads the settings, and the files that they name.
pub fn config() -> Result<Config, Box<dyn Error>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let settings = Resolved::new(&Overrides::default(), variable)?;
    let mut config = Config::new(settings.address.parse()?);
    config.namespace = settings.namespace;
    // The only authority that this client believes: nobody else's certificate
    // is this server's.
    config.ca_pem = settings.ca_file.map(fs::read).transpose()?;
    config.token = match settings.token {
        Some(Token::Text(token)) => Some(token),
        Some(Token::File(path)) => {
            let text = fs::read_to_string(path)?;
            Some(SecretText::new(text.trim().to_owned()))
        }
        None => None,
    };
    if let Some((certificates, key)) = settings.identity {
        config.identity = Some(Identity {
            certificates_pem: fs::read(certificates)?,
            private_key_pem: fs::read(key)?.into(),
        });
    }
    Ok(config)
}
