//! A text as a QR code, drawn as one path of an SVG.

use qrcodegen::{QrCode, QrCodeEcc};

/// The quiet zone around the code, in modules (ISO/IEC 18004).
const QUIET: i32 = 4;

/// A code, ready to be drawn.
pub struct Picture {
    /// The width and height, in modules.
    pub size: i32,
    /// The dark modules, as the `d` of a path.
    pub path: String,
}

/// The picture of a text; none where it is too long for one.
pub fn picture(text: &str) -> Option<Picture> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        for x in (0..size).filter(|x| code.get_module(*x, y)) {
            path.push_str(&format!("M{},{}h1v1h-1z", x + QUIET, y + QUIET));
        }
    }
    Some(Picture { size: size + 2 * QUIET, path })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_three_corners_and_a_quiet_zone() {
        let picture = picture("otpauth://totp/Sluice:a?secret=MZXW6YTBOI&issuer=Sluice").unwrap();
        let far = picture.size - QUIET - 1;
        for corner in [(QUIET, QUIET), (far, QUIET), (QUIET, far)] {
            assert!(picture.path.contains(&format!("M{},{}h", corner.0, corner.1)), "{corner:?}");
        }
        assert!(!picture.path.contains("M3,") && !picture.path.contains(",3h"));
    }
}
