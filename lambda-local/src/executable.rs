//! Whether an executable can start on Lambda's `provided.al2023`: a Linux one, for the function's processor, that asks for no newer
//! C library than Amazon Linux 2023 has.

/// Minor version of glibc 2 on Amazon Linux 2023 (its release notes).
const GLIBC: u32 = 34;

/// A function's processor, by the names that Lambda has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// AWS Graviton.
    Arm64,
    /// Intel and AMD.
    X86_64,
}

impl Architecture {
    /// `e_machine` of the ELF header.
    fn machine(self) -> u16 {
        match self {
            Self::Arm64 => 183,
            Self::X86_64 => 62,
        }
    }
}

impl std::str::FromStr for Architecture {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "arm64" => Ok(Self::Arm64),
            "x86_64" => Ok(Self::X86_64),
            _ => Err(format!("architecture {name:?} is unknown; it is arm64 or x86_64")),
        }
    }
}

/// Whether `program` would start.
///
/// # Errors
/// Why not, and what to do.
pub fn check(program: &[u8], architecture: Architecture) -> Result<(), String> {
    let header = program.get(..20).filter(|header| header.starts_with(b"\x7fELF\x02\x01"));
    let Some(header) = header else {
        return Err("not a 64-bit Linux executable; build it on Linux or with cargo-zigbuild".into());
    };
    let machine = u16::from_le_bytes([header[18], header[19]]);
    if machine != architecture.machine() {
        return Err(format!("built for another processor (ELF machine {machine}) than {architecture:?}"));
    }
    match newest_glibc(program) {
        Some(minor) if minor > GLIBC => Err(format!(
            "needs glibc 2.{minor}, and Amazon Linux 2023 has 2.{GLIBC}; build with cargo-zigbuild, which links against an older one: \
             pip install cargo-zigbuild"
        )),
        _ => Ok(()),
    }
}

/// The newest symbol version `GLIBC_2.N` that the program names.
fn newest_glibc(program: &[u8]) -> Option<u32> {
    const PREFIX: &[u8] = b"GLIBC_2.";
    let minor = |found: &[u8]| -> Option<u32> {
        let digits = found[PREFIX.len()..].split(|byte| !byte.is_ascii_digit()).next()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    program.windows(PREFIX.len() + 3).filter(|window| window.starts_with(PREFIX)).filter_map(minor).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(machine: u8, symbols: &str) -> Vec<u8> {
        let mut program = b"\x7fELF\x02\x01\x01".to_vec();
        program.resize(18, 0);
        program.extend([machine, 0]);
        program.extend(symbols.as_bytes());
        program.extend([0; 16]);
        program
    }

    #[test]
    fn a_program_for_the_processor_and_the_c_library_passes() {
        assert_eq!(check(&program(62, "GLIBC_2.34\0GLIBC_2.2.5\0GLIBC_2.9"), Architecture::X86_64), Ok(()));
        assert_eq!(check(&program(183, ""), Architecture::Arm64), Ok(()));
    }

    #[test]
    fn one_that_would_not_start_is_refused_with_the_reason() {
        let newer = check(&program(62, "GLIBC_2.34\0GLIBC_2.38\0"), Architecture::X86_64).unwrap_err();
        assert!(newer.contains("2.38") && newer.contains("cargo-zigbuild"), "{newer}");
        let other = check(&program(62, ""), Architecture::Arm64).unwrap_err();
        assert!(other.contains("another processor"), "{other}");
        assert!(check(b"\xcf\xfa\xed\xfe", Architecture::Arm64).unwrap_err().contains("not a 64-bit Linux"));
    }
}
