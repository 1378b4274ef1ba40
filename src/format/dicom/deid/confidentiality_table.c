/* format/dicom/deid/confidentiality_table.c: PS3.15 table E.1-1, made by tools/gen_dicom_confidentiality.py: tag (of a
 * repeating group its first), the basic profile's action, and for each option in the order of the MTM_DEID_ flags K (keep), C (clean) or blank.
 * SPDX-License-Identifier: Apache-2.0 */
#include "confidentiality.h"

/* clang-format off */
const dcm_confidentiality dcm_confidentiality_table[] = {
    {0x00001000u, 'X', "K        "}, /* Affected SOP Instance UID */
    {0x00001001u, 'U', "K        "}, /* Requested SOP Instance UID */
    {0x00020003u, 'U', "K        "}, /* Media Storage SOP Instance UID */
    {0x00041511u, 'U', "K        "}, /* Referenced SOP Instance UID in File */
    {0x00080012u, 'D', "    KC   "}, /* Instance Creation Date */
    {0x00080013u, 'D', "    KC   "}, /* Instance Creation Time */
    {0x00080014u, 'U', "K        "}, /* Instance Creator UID */
    {0x00080015u, 'X', "    KC   "}, /* Instance Coercion DateTime */
    {0x00080017u, 'U', "K        "}, /* Acquisition UID */
    {0x00080018u, 'U', "K        "}, /* SOP Instance UID */
    {0x00080019u, 'U', "K        "}, /* Pyramid UID */
    {0x00080020u, 'Z', "    KC   "}, /* Study Date */
    {0x00080021u, 'D', "    KC   "}, /* Series Date */
    {0x00080022u, 'Z', "    KC   "}, /* Acquisition Date */
    {0x00080023u, 'D', "    KC   "}, /* Content Date */
    {0x00080024u, 'X', "    KC   "}, /* Overlay Date */
    {0x00080025u, 'X', "    KC   "}, /* Curve Date */
    {0x0008002Au, 'D', "    KC   "}, /* Acquisition DateTime */
    {0x00080030u, 'Z', "    KC   "}, /* Study Time */
    {0x00080031u, 'D', "    KC   "}, /* Series Time */
    {0x00080032u, 'Z', "    KC   "}, /* Acquisition Time */
    {0x00080033u, 'D', "    KC   "}, /* Content Time */
    {0x00080034u, 'X', "    KC   "}, /* Overlay Time */
    {0x00080035u, 'X', "    KC   "}, /* Curve Time */
    {0x00080050u, 'Z', "         "}, /* Accession Number */
    {0x00080054u, 'X', " C       "}, /* Retrieve AE Title */
    {0x00080055u, 'X', " C       "}, /* Station AE Title */
    {0x00080058u, 'U', "K        "}, /* Failed SOP Instance UID List */
    {0x00080080u, 'D', "  K      "}, /* Institution Name */
    {0x00080081u, 'X', "  K      "}, /* Institution Address */
    {0x00080082u, 'D', "  K      "}, /* Institution Code Sequence */
    {0x00080090u, 'Z', "         "}, /* Referring Physician's Name */
    {0x00080092u, 'X', "         "}, /* Referring Physician's Address */
    {0x00080094u, 'X', "         "}, /* Referring Physician's Telephone Numbers */
    {0x00080096u, 'X', "         "}, /* Referring Physician Identification Sequence */
    {0x0008009Cu, 'Z', "         "}, /* Consulting Physician's Name */
    {0x0008009Du, 'X', "         "}, /* Consulting Physician Identification Sequence */
    {0x00080106u, 'D', "    KC   "}, /* Context Group Version */
    {0x00080107u, 'D', "    KC   "}, /* Context Group Local Version */
    {0x00080201u, 'X', "    KC   "}, /* Timezone Offset From UTC */
    {0x00081000u, 'X', " C       "}, /* Network ID */
    {0x00081010u, 'D', " K       "}, /* Station Name */
    {0x00081030u, 'X', "      C  "}, /* Study Description */
    {0x0008103Eu, 'X', "      C  "}, /* Series Description */
    {0x00081040u, 'X', "  K      "}, /* Institutional Department Name */
    {0x00081041u, 'X', "  K      "}, /* Institutional Department Type Code Sequence */
    {0x00081048u, 'X', "         "}, /* Physician(s) of Record */
    {0x00081049u, 'X', "         "}, /* Physician(s) of Record Identification Sequence */
    {0x00081050u, 'X', "         "}, /* Performing Physician's Name */
    {0x00081052u, 'X', "         "}, /* Performing Physician Identification Sequence */
    {0x00081060u, 'X', "         "}, /* Name of Physician(s) Reading Study */
    {0x00081062u, 'X', "         "}, /* Physician(s) Reading Study Identification Sequence */
    {0x00081070u, 'D', "         "}, /* Operators' Name */
    {0x00081072u, 'D', "         "}, /* Operator Identification Sequence */
    {0x00081080u, 'X', "      C  "}, /* Admitting Diagnoses Description */
    {0x00081084u, 'X', "      C  "}, /* Admitting Diagnoses Code Sequence */
    {0x00081088u, 'X', "      C  "}, /* Pyramid Description */
    {0x00081110u, 'X', "K        "}, /* Referenced Study Sequence */
    {0x00081111u, 'D', "K        "}, /* Referenced Performed Procedure Step Sequence */
    {0x00081120u, 'X', "K        "}, /* Referenced Patient Sequence */
    {0x00081140u, 'U', "K        "}, /* Referenced Image Sequence */
    {0x00081155u, 'U', "K        "}, /* Referenced SOP Instance UID */
    {0x00081195u, 'U', "K        "}, /* Transaction UID */
    {0x00082111u, 'X', "      C  "}, /* Derivation Description */
    {0x00082112u, 'U', "K        "}, /* Source Image Sequence */
    {0x00083010u, 'U', "K        "}, /* Irradiation Event UID */
    {0x00084000u, 'X', "      C  "}, /* Identifying Comments */
    {0x00100010u, 'Z', "         "}, /* Patient's Name */
    {0x00100020u, 'D', "         "}, /* Patient ID */
    {0x00100021u, 'X', "         "}, /* Issuer of Patient ID */
    {0x00100030u, 'Z', "         "}, /* Patient's Birth Date */
    {0x00100032u, 'X', "         "}, /* Patient's Birth Time */
    {0x00100040u, 'Z', "   K     "}, /* Patient's Sex */
    {0x00100050u, 'X', "         "}, /* Patient's Insurance Plan Code Sequence */
    {0x00100101u, 'X', "         "}, /* Patient's Primary Language Code Sequence */
    {0x00100102u, 'X', "         "}, /* Patient's Primary Language Modifier Code Sequence */
    {0x00101000u, 'X', "         "}, /* Other Patient IDs */
    {0x00101001u, 'X', "         "}, /* Other Patient Names */
    {0x00101002u, 'X', "         "}, /* Other Patient IDs Sequence */
    {0x00101005u, 'X', "         "}, /* Patient's Birth Name */
    {0x00101010u, 'X', "   K     "}, /* Patient's Age */
    {0x00101020u, 'X', "   K     "}, /* Patient's Size */
    {0x00101030u, 'X', "   K     "}, /* Patient's Weight */
    {0x00101040u, 'X', "         "}, /* Patient's Address */
    {0x00101050u, 'X', "         "}, /* Insurance Plan Identification */
    {0x00101060u, 'X', "         "}, /* Patient's Mother's Birth Name */
    {0x00101080u, 'X', "         "}, /* Military Rank */
    {0x00101081u, 'X', "         "}, /* Branch of Service */
    {0x00101090u, 'X', "         "}, /* Medical Record Locator */
    {0x00101100u, 'X', "         "}, /* Referenced Patient Photo Sequence */
    {0x00102000u, 'X', "      C  "}, /* Medical Alerts */
    {0x00102110u, 'X', "   C  C  "}, /* Allergies */
    {0x00102150u, 'X', "         "}, /* Country of Residence */
    {0x00102152u, 'X', "         "}, /* Region of Residence */
    {0x00102154u, 'X', "         "}, /* Patient's Telephone Numbers */
    {0x00102155u, 'X', "         "}, /* Patient's Telecom Information */
    {0x00102160u, 'X', "   K     "}, /* Ethnic Group */
    {0x00102180u, 'X', "      C  "}, /* Occupation */
    {0x001021A0u, 'X', "   K     "}, /* Smoking Status */
    {0x001021B0u, 'X', "      C  "}, /* Additional Patient History */
    {0x001021C0u, 'X', "   K     "}, /* Pregnancy Status */
    {0x001021D0u, 'X', "    KC   "}, /* Last Menstrual Date */
    {0x001021F0u, 'X', "         "}, /* Patient's Religious Preference */
    {0x00102203u, 'Z', "   K     "}, /* Patient's Sex Neutered */
    {0x00102297u, 'X', "         "}, /* Responsible Person */
    {0x00102299u, 'X', "         "}, /* Responsible Organization */
    {0x00104000u, 'X', "      C  "}, /* Patient Comments */
    {0x00120010u, 'D', "         "}, /* Clinical Trial Sponsor Name */
    {0x00120020u, 'D', "         "}, /* Clinical Trial Protocol ID */
    {0x00120021u, 'Z', "         "}, /* Clinical Trial Protocol Name */
    {0x00120022u, 'X', "         "}, /* Issuer of Clinical Trial Protocol ID */
    {0x00120023u, 'X', "         "}, /* Other Clinical Trial Protocol IDs Sequence */
    {0x00120030u, 'Z', "  K      "}, /* Clinical Trial Site ID */
    {0x00120031u, 'Z', "  K      "}, /* Clinical Trial Site Name */
    {0x00120032u, 'X', "         "}, /* Issuer of Clinical Trial Site ID */
    {0x00120040u, 'D', "         "}, /* Clinical Trial Subject ID */
    {0x00120041u, 'X', "         "}, /* Issuer of Clinical Trial Subject ID */
    {0x00120042u, 'D', "         "}, /* Clinical Trial Subject Reading ID */
    {0x00120043u, 'X', "         "}, /* Issuer of Clinical Trial Subject Reading ID */
    {0x00120050u, 'Z', "         "}, /* Clinical Trial Time Point ID */
    {0x00120051u, 'X', "      C  "}, /* Clinical Trial Time Point Description */
    {0x00120055u, 'X', "         "}, /* Issuer of Clinical Trial Time Point ID */
    {0x00120060u, 'Z', "  K      "}, /* Clinical Trial Coordinating Center Name */
    {0x00120071u, 'X', "         "}, /* Clinical Trial Series ID */
    {0x00120072u, 'X', "      C  "}, /* Clinical Trial Series Description */
    {0x00120073u, 'X', "         "}, /* Issuer of Clinical Trial Series ID */
    {0x00120081u, 'D', "  K      "}, /* Clinical Trial Protocol Ethics Committee Name */
    {0x00120082u, 'X', "         "}, /* Clinical Trial Protocol Ethics Committee Approval Number */
    {0x00120086u, 'X', "    KC   "}, /* Ethics Committee Approval Effectiveness Start Date */
    {0x00120087u, 'X', "    KC   "}, /* Ethics Committee Approval Effectiveness End Date */
    {0x0014407Cu, 'X', " K  KC   "}, /* Calibration Time */
    {0x0014407Eu, 'X', " K  KC   "}, /* Calibration Date */
    {0x0016002Bu, 'X', "      C  "}, /* Maker Note */
    {0x0016004Bu, 'X', "      C  "}, /* Device Setting Description */
    {0x0016004Du, 'X', "         "}, /* Camera Owner Name */
    {0x0016004Eu, 'X', " K       "}, /* Lens Specification */
    {0x0016004Fu, 'X', " K       "}, /* Lens Make */
    {0x00160050u, 'X', " K       "}, /* Lens Model */
    {0x00160051u, 'X', " K       "}, /* Lens Serial Number */
    {0x00160070u, 'X', "         "}, /* GPS Version ID */
    {0x00160071u, 'X', "         "}, /* GPS Latitude Ref */
    {0x00160072u, 'X', "         "}, /* GPS Latitude */
    {0x00160073u, 'X', "         "}, /* GPS Longitude Ref */
    {0x00160074u, 'X', "         "}, /* GPS Longitude */
    {0x00160075u, 'X', "         "}, /* GPS Altitude Ref */
    {0x00160076u, 'X', "         "}, /* GPS Altitude */
    {0x00160077u, 'X', "         "}, /* GPS Time Stamp */
    {0x00160078u, 'X', "         "}, /* GPS Satellites */
    {0x00160079u, 'X', "         "}, /* GPS Status */
    {0x0016007Au, 'X', "         "}, /* GPS Measure Mode */
    {0x0016007Bu, 'X', "         "}, /* GPS DOP */
    {0x0016007Cu, 'X', "         "}, /* GPS Speed Ref */
    {0x0016007Du, 'X', "         "}, /* GPS Speed */
    {0x0016007Eu, 'X', "         "}, /* GPS Track Ref */
    {0x0016007Fu, 'X', "         "}, /* GPS Track */
    {0x00160080u, 'X', "         "}, /* GPS Img Direction Ref */
    {0x00160081u, 'X', "         "}, /* GPS Img Direction */
    {0x00160082u, 'X', "         "}, /* GPS Map Datum */
    {0x00160083u, 'X', "         "}, /* GPS Dest Latitude Ref */
    {0x00160084u, 'X', "         "}, /* GPS Dest Latitude */
    {0x00160085u, 'X', "         "}, /* GPS Dest Longitude Ref */
    {0x00160086u, 'X', "         "}, /* GPS Dest Longitude */
    {0x00160087u, 'X', "         "}, /* GPS Dest Bearing Ref */
    {0x00160088u, 'X', "         "}, /* GPS Dest Bearing */
    {0x00160089u, 'X', "         "}, /* GPS Dest Distance Ref */
    {0x0016008Au, 'X', "         "}, /* GPS Dest Distance */
    {0x0016008Bu, 'X', "         "}, /* GPS Processing Method */
    {0x0016008Cu, 'X', "         "}, /* GPS Area Information */
    {0x0016008Du, 'X', "    KC   "}, /* GPS Date Stamp */
    {0x0016008Eu, 'X', "         "}, /* GPS Differential */
    {0x00180010u, 'D', "      C  "}, /* Contrast/Bolus Agent */
    {0x00180027u, 'X', "    KC   "}, /* Intervention Drug Stop Time */
    {0x00180035u, 'X', "    KC   "}, /* Intervention Drug Start Time */
    {0x00181000u, 'D', " K       "}, /* Device Serial Number */
    {0x00181002u, 'U', "KK       "}, /* Device UID */
    {0x00181004u, 'X', " K       "}, /* Plate ID */
    {0x00181005u, 'X', " K       "}, /* Generator ID */
    {0x00181007u, 'X', " K       "}, /* Cassette ID */
    {0x00181008u, 'X', " K       "}, /* Gantry ID */
    {0x00181009u, 'X', " K       "}, /* Unique Device Identifier */
    {0x0018100Au, 'X', " K       "}, /* UDI Sequence */
    {0x0018100Bu, 'U', "KK       "}, /* Manufacturer's Device Class UID */
    {0x00181012u, 'X', "    KC   "}, /* Date of Secondary Capture */
    {0x00181014u, 'X', "    KC   "}, /* Time of Secondary Capture */
    {0x00181030u, 'D', "      C  "}, /* Protocol Name */
    {0x00181042u, 'X', "    KC   "}, /* Contrast/Bolus Start Time */
    {0x00181043u, 'X', "    KC   "}, /* Contrast/Bolus Stop Time */
    {0x00181072u, 'X', "    KC   "}, /* Radiopharmaceutical Start Time */
    {0x00181073u, 'X', "    KC   "}, /* Radiopharmaceutical Stop Time */
    {0x00181078u, 'X', "    KC   "}, /* Radiopharmaceutical Start DateTime */
    {0x00181079u, 'X', "    KC   "}, /* Radiopharmaceutical Stop DateTime */
    {0x001811BBu, 'D', "      C  "}, /* Acquisition Field Of View Label */
    {0x00181200u, 'X', " K  KC   "}, /* Date of Last Calibration */
    {0x00181201u, 'X', " K  KC   "}, /* Time of Last Calibration */
    {0x00181202u, 'X', " K  KC   "}, /* DateTime of Last Calibration */
    {0x00181203u, 'Z', " K  KC   "}, /* Calibration DateTime */
    {0x00181204u, 'X', " K  KC   "}, /* Date of Manufacture */
    {0x00181205u, 'X', " K  KC   "}, /* Date of Installation */
    {0x00181400u, 'D', "      C  "}, /* Acquisition Device Processing Description */
    {0x00182042u, 'U', "K        "}, /* Target UID */
    {0x00184000u, 'X', "      C  "}, /* Acquisition Comments */
    {0x00185011u, 'X', " K       "}, /* Transducer Identification Sequence */
    {0x0018700Au, 'D', " K       "}, /* Detector ID */
    {0x0018700Cu, 'D', " K  KC   "}, /* Date of Last Detector Calibration */
    {0x0018700Eu, 'D', " K  KC   "}, /* Time of Last Detector Calibration */
    {0x00189074u, 'D', "    KC   "}, /* Frame Acquisition DateTime */
    {0x00189151u, 'D', "    KC   "}, /* Frame Reference DateTime */
    {0x00189185u, 'X', "      C  "}, /* Respiratory Motion Compensation Technique Description */
    {0x00189367u, 'D', " K       "}, /* X-Ray Source ID */
    {0x00189369u, 'D', "    KC   "}, /* Source Start DateTime */
    {0x0018936Au, 'D', "    KC   "}, /* Source End DateTime */
    {0x00189371u, 'D', " K       "}, /* X-Ray Detector ID */
    {0x00189373u, 'X', " K       "}, /* X-Ray Detector Label */
    {0x0018937Bu, 'X', "      C  "}, /* Multi-energy Acquisition Description */
    {0x0018937Fu, 'X', "      C  "}, /* Decomposition Description */
    {0x00189424u, 'X', "      C  "}, /* Acquisition Protocol Description */
    {0x00189516u, 'D', "    KC   "}, /* Start Acquisition DateTime */
    {0x00189517u, 'D', "    KC   "}, /* End Acquisition DateTime */
    {0x00189623u, 'D', "    KC   "}, /* Functional Sync Pulse */
    {0x00189701u, 'D', "    KC   "}, /* Decay Correction DateTime */
    {0x00189804u, 'D', "    KC   "}, /* Exclusion Start DateTime */
    {0x00189919u, 'D', "    KC   "}, /* Instruction Performed DateTime */
    {0x00189937u, 'X', "      C  "}, /* Requested Series Description */
    {0x0018A002u, 'X', "    KC   "}, /* Contribution DateTime */
    {0x0018A003u, 'X', "      C  "}, /* Contribution Description */
    {0x0020000Du, 'U', "K        "}, /* Study Instance UID */
    {0x0020000Eu, 'U', "K        "}, /* Series Instance UID */
    {0x00200010u, 'Z', "         "}, /* Study ID */
    {0x00200027u, 'X', "      C  "}, /* Pyramid Label */
    {0x00200052u, 'U', "K        "}, /* Frame of Reference UID */
    {0x00200200u, 'U', "K        "}, /* Synchronization Frame of Reference UID */
    {0x00203401u, 'X', " K       "}, /* Modifying Device ID */
    {0x00203403u, 'X', "    KC   "}, /* Modified Image Date */
    {0x00203405u, 'X', "    KC   "}, /* Modified Image Time */
    {0x00203406u, 'X', "         "}, /* Modified Image Description */
    {0x00204000u, 'X', "      C  "}, /* Image Comments */
    {0x00209158u, 'X', "      C  "}, /* Frame Comments */
    {0x00209161u, 'U', "K        "}, /* Concatenation UID */
    {0x00209164u, 'U', "K        "}, /* Dimension Organization UID */
    {0x00281199u, 'U', "K        "}, /* Palette Color Lookup Table UID */
    {0x00281214u, 'U', "K        "}, /* Large Palette Color Lookup Table UID */
    {0x00284000u, 'X', "         "}, /* Image Presentation Comments */
    {0x00320012u, 'X', "         "}, /* Study ID Issuer */
    {0x00320032u, 'X', "    KC   "}, /* Study Verified Date */
    {0x00320033u, 'X', "    KC   "}, /* Study Verified Time */
    {0x00320034u, 'X', "    KC   "}, /* Study Read Date */
    {0x00320035u, 'X', "    KC   "}, /* Study Read Time */
    {0x00321000u, 'X', "    KC   "}, /* Scheduled Study Start Date */
    {0x00321001u, 'X', "    KC   "}, /* Scheduled Study Start Time */
    {0x00321010u, 'X', "    KC   "}, /* Scheduled Study Stop Date */
    {0x00321011u, 'X', "    KC   "}, /* Scheduled Study Stop Time */
    {0x00321020u, 'X', " K       "}, /* Scheduled Study Location */
    {0x00321021u, 'X', " C       "}, /* Scheduled Study Location AE Title */
    {0x00321030u, 'X', "      C  "}, /* Reason for Study */
    {0x00321032u, 'X', "         "}, /* Requesting Physician */
    {0x00321033u, 'X', "         "}, /* Requesting Service */
    {0x00321040u, 'X', "    KC   "}, /* Study Arrival Date */
    {0x00321041u, 'X', "    KC   "}, /* Study Arrival Time */
    {0x00321050u, 'X', "    KC   "}, /* Study Completion Date */
    {0x00321051u, 'X', "    KC   "}, /* Study Completion Time */
    {0x00321060u, 'Z', "      C  "}, /* Requested Procedure Description */
    {0x00321066u, 'X', "      C  "}, /* Reason for Visit */
    {0x00321067u, 'X', "      C  "}, /* Reason for Visit Code Sequence */
    {0x00321070u, 'X', "      C  "}, /* Requested Contrast Agent */
    {0x00324000u, 'X', "      C  "}, /* Study Comments */
    {0x00340001u, 'D', "         "}, /* Flow Identifier Sequence */
    {0x00340002u, 'D', "         "}, /* Flow Identifier */
    {0x00340005u, 'D', "         "}, /* Source Identifier */
    {0x00340007u, 'D', "    KC   "}, /* Frame Origin Timestamp */
    {0x00380004u, 'X', "         "}, /* Referenced Patient Alias Sequence */
    {0x00380010u, 'X', "         "}, /* Admission ID */
    {0x00380011u, 'X', "         "}, /* Issuer of Admission ID */
    {0x00380014u, 'X', "         "}, /* Issuer of Admission ID Sequence */
    {0x0038001Au, 'X', "    KC   "}, /* Scheduled Admission Date */
    {0x0038001Bu, 'X', "    KC   "}, /* Scheduled Admission Time */
    {0x0038001Cu, 'X', "    KC   "}, /* Scheduled Discharge Date */
    {0x0038001Du, 'X', "    KC   "}, /* Scheduled Discharge Time */
    {0x0038001Eu, 'X', "         "}, /* Scheduled Patient Institution Residence */
    {0x00380020u, 'X', "    KC   "}, /* Admitting Date */
    {0x00380021u, 'X', "    KC   "}, /* Admitting Time */
    {0x00380030u, 'X', "    KC   "}, /* Discharge Date */
    {0x00380032u, 'X', "    KC   "}, /* Discharge Time */
    {0x00380040u, 'X', "      C  "}, /* Discharge Diagnosis Description */
    {0x00380050u, 'X', "   C     "}, /* Special Needs */
    {0x00380060u, 'X', "         "}, /* Service Episode ID */
    {0x00380061u, 'X', "         "}, /* Issuer of Service Episode ID */
    {0x00380062u, 'X', "      C  "}, /* Service Episode Description */
    {0x00380064u, 'X', "         "}, /* Issuer of Service Episode ID Sequence */
    {0x00380300u, 'X', "         "}, /* Current Patient Location */
    {0x00380400u, 'X', "         "}, /* Patient's Institution Residence */
    {0x00380500u, 'X', "   C  C  "}, /* Patient State */
    {0x00384000u, 'X', "      C  "}, /* Visit Comments */
    {0x003A0310u, 'U', "K        "}, /* Multiplex Group UID */
    {0x003A0314u, 'D', "    KC   "}, /* Impedance Measurement DateTime */
    {0x003A0329u, 'X', "      C  "}, /* Waveform Filter Description */
    {0x003A032Bu, 'X', "      C  "}, /* Filter Lookup Table Description */
    {0x00400001u, 'X', " C       "}, /* Scheduled Station AE Title */
    {0x00400002u, 'X', "    KC   "}, /* Scheduled Procedure Step Start Date */
    {0x00400003u, 'X', "    KC   "}, /* Scheduled Procedure Step Start Time */
    {0x00400004u, 'X', "    KC   "}, /* Scheduled Procedure Step End Date */
    {0x00400005u, 'X', "    KC   "}, /* Scheduled Procedure Step End Time */
    {0x00400006u, 'X', "         "}, /* Scheduled Performing Physician's Name */
    {0x00400007u, 'X', "      C  "}, /* Scheduled Procedure Step Description */
    {0x00400009u, 'X', "         "}, /* Scheduled Procedure Step ID */
    {0x0040000Bu, 'X', "         "}, /* Scheduled Performing Physician Identification Sequence */
    {0x00400010u, 'X', " K       "}, /* Scheduled Station Name */
    {0x00400011u, 'X', " K       "}, /* Scheduled Procedure Step Location */
    {0x00400012u, 'X', "   C     "}, /* Pre-Medication */
    {0x00400241u, 'X', " C       "}, /* Performed Station AE Title */
    {0x00400242u, 'X', " K       "}, /* Performed Station Name */
    {0x00400243u, 'X', "         "}, /* Performed Location */
    {0x00400244u, 'X', "    KC   "}, /* Performed Procedure Step Start Date */
    {0x00400245u, 'X', "    KC   "}, /* Performed Procedure Step Start Time */
    {0x00400250u, 'X', "    KC   "}, /* Performed Procedure Step End Date */
    {0x00400251u, 'X', "    KC   "}, /* Performed Procedure Step End Time */
    {0x00400253u, 'X', "         "}, /* Performed Procedure Step ID */
    {0x00400254u, 'X', "      C  "}, /* Performed Procedure Step Description */
    {0x00400275u, 'X', "      C  "}, /* Request Attributes Sequence */
    {0x00400280u, 'X', "      C  "}, /* Comments on the Performed Procedure Step */
    {0x00400310u, 'X', "      C  "}, /* Comments on Radiation Dose */
    {0x0040050Au, 'X', "         "}, /* Specimen Accession Number */
    {0x00400512u, 'D', "         "}, /* Container Identifier */
    {0x00400513u, 'Z', "         "}, /* Issuer of the Container Identifier Sequence */
    {0x0040051Au, 'X', "      C  "}, /* Container Description */
    {0x00400551u, 'D', "         "}, /* Specimen Identifier */
    {0x00400554u, 'U', "K        "}, /* Specimen UID */
    {0x00400555u, 'Z', "       C "}, /* Acquisition Context Sequence */
    {0x00400562u, 'Z', "         "}, /* Issuer of the Specimen Identifier Sequence */
    {0x00400600u, 'X', "      C  "}, /* Specimen Short Description */
    {0x00400602u, 'X', "      C  "}, /* Specimen Detailed Description */
    {0x00400610u, 'Z', "       C "}, /* Specimen Preparation Sequence */
    {0x004006FAu, 'X', "         "}, /* Slide Identifier */
    {0x00401001u, 'X', "         "}, /* Requested Procedure ID */
    {0x00401002u, 'X', "      C  "}, /* Reason for the Requested Procedure */
    {0x00401004u, 'X', "         "}, /* Patient Transport Arrangements */
    {0x00401005u, 'X', "         "}, /* Requested Procedure Location */
    {0x0040100Au, 'X', "      C  "}, /* Reason for Requested Procedure Code Sequence */
    {0x00401010u, 'X', "         "}, /* Names of Intended Recipients of Results */
    {0x00401011u, 'X', "         "}, /* Intended Recipients of Results Identification Sequence */
    {0x00401101u, 'D', "         "}, /* Person Identification Code Sequence */
    {0x00401102u, 'X', "         "}, /* Person's Address */
    {0x00401103u, 'X', "         "}, /* Person's Telephone Numbers */
    {0x00401104u, 'X', "         "}, /* Person's Telecom Information */
    {0x00401400u, 'X', "      C  "}, /* Requested Procedure Comments */
    {0x00402001u, 'X', "      C  "}, /* Reason for the Imaging Service Request */
    {0x00402004u, 'X', "    KC   "}, /* Issue Date of Imaging Service Request */
    {0x00402005u, 'X', "    KC   "}, /* Issue Time of Imaging Service Request */
    {0x00402008u, 'X', "         "}, /* Order Entered By */
    {0x00402009u, 'X', "         "}, /* Order Enterer's Location */
    {0x00402010u, 'X', "         "}, /* Order Callback Phone Number */
    {0x00402011u, 'X', "         "}, /* Order Callback Telecom Information */
    {0x00402016u, 'Z', "         "}, /* Placer Order Number / Imaging Service Request */
    {0x00402017u, 'Z', "         "}, /* Filler Order Number / Imaging Service Request */
    {0x00402400u, 'X', "      C  "}, /* Imaging Service Request Comments */
    {0x00403001u, 'X', "         "}, /* Confidentiality Constraint on Patient Data Description */
    {0x00404005u, 'X', "    KC   "}, /* Scheduled Procedure Step Start DateTime */
    {0x00404008u, 'X', "    KC   "}, /* Scheduled Procedure Step Expiration DateTime */
    {0x00404010u, 'X', "    KC   "}, /* Scheduled Procedure Step Modification DateTime */
    {0x00404011u, 'X', "    KC   "}, /* Expected Completion DateTime */
    {0x00404023u, 'U', "K        "}, /* Referenced General Purpose Scheduled Procedure Step Transaction UID */
    {0x00404025u, 'X', " K       "}, /* Scheduled Station Name Code Sequence */
    {0x00404027u, 'X', " K       "}, /* Scheduled Station Geographic Location Code Sequence */
    {0x00404028u, 'X', " K       "}, /* Performed Station Name Code Sequence */
    {0x00404030u, 'X', " K       "}, /* Performed Station Geographic Location Code Sequence */
    {0x00404034u, 'X', "         "}, /* Scheduled Human Performers Sequence */
    {0x00404035u, 'X', "         "}, /* Actual Human Performers Sequence */
    {0x00404036u, 'X', "         "}, /* Human Performer's Organization */
    {0x00404037u, 'X', "         "}, /* Human Performer's Name */
    {0x00404050u, 'X', "    KC   "}, /* Performed Procedure Step Start DateTime */
    {0x00404051u, 'X', "    KC   "}, /* Performed Procedure Step End DateTime */
    {0x00404052u, 'X', "    KC   "}, /* Procedure Step Cancellation DateTime */
    {0x0040A023u, 'X', "    KC   "}, /* Findings Group Recording Date (Trial) */
    {0x0040A024u, 'X', "    KC   "}, /* Findings Group Recording Time (Trial) */
    {0x0040A027u, 'D', "         "}, /* Verifying Organization */
    {0x0040A030u, 'D', "    KC   "}, /* Verification DateTime */
    {0x0040A032u, 'D', "    KC   "}, /* Observation DateTime */
    {0x0040A033u, 'X', "    KC   "}, /* Observation Start DateTime */
    {0x0040A073u, 'D', "         "}, /* Verifying Observer Sequence */
    {0x0040A075u, 'D', "         "}, /* Verifying Observer Name */
    {0x0040A078u, 'X', "         "}, /* Author Observer Sequence */
    {0x0040A07Au, 'X', "         "}, /* Participant Sequence */
    {0x0040A07Cu, 'X', "         "}, /* Custodial Organization Sequence */
    {0x0040A082u, 'Z', "    KC   "}, /* Participation DateTime */
    {0x0040A088u, 'Z', "         "}, /* Verifying Observer Identification Code Sequence */
    {0x0040A110u, 'X', "    KC   "}, /* Date of Document or Verbal Transaction (Trial) */
    {0x0040A112u, 'X', "    KC   "}, /* Time of Document Creation or Verbal Transaction (Trial) */
    {0x0040A120u, 'D', "    KC   "}, /* DateTime */
    {0x0040A121u, 'D', "    KC   "}, /* Date */
    {0x0040A122u, 'D', "    KC   "}, /* Time */
    {0x0040A123u, 'D', "         "}, /* Person Name */
    {0x0040A124u, 'U', "         "}, /* UID */
    {0x0040A13Au, 'D', "    KC   "}, /* Referenced DateTime */
    {0x0040A171u, 'U', "K        "}, /* Observation UID */
    {0x0040A172u, 'U', "K        "}, /* Referenced Observation UID (Trial) */
    {0x0040A192u, 'X', "    KC   "}, /* Observation Date (Trial) */
    {0x0040A193u, 'X', "    KC   "}, /* Observation Time (Trial) */
    {0x0040A307u, 'X', "         "}, /* Current Observer (Trial) */
    {0x0040A352u, 'X', "         "}, /* Verbal Source (Trial) */
    {0x0040A353u, 'X', "         "}, /* Address (Trial) */
    {0x0040A354u, 'X', "         "}, /* Telephone Number (Trial) */
    {0x0040A358u, 'X', "         "}, /* Verbal Source Identifier Code Sequence (Trial) */
    {0x0040A402u, 'U', "K        "}, /* Observation Subject UID (Trial) */
    {0x0040A730u, 'D', "       C "}, /* Content Sequence */
    {0x0040DB06u, 'X', "    KC   "}, /* Template Version */
    {0x0040DB07u, 'X', "    KC   "}, /* Template Local Version */
    {0x0040DB0Cu, 'U', "K        "}, /* Template Extension Organization UID */
    {0x0040DB0Du, 'U', "K        "}, /* Template Extension Creator UID */
    {0x0040E004u, 'X', "    KC   "}, /* HL7 Document Effective Time */
    {0x00420011u, 'D', "         "}, /* Encapsulated Document */
    {0x00440004u, 'X', "    KC   "}, /* Approval Status DateTime */
    {0x0044000Bu, 'X', "    KC   "}, /* Product Expiration DateTime */
    {0x00440010u, 'X', "    KC   "}, /* Substance Administration DateTime */
    {0x00440104u, 'D', "    KC   "}, /* Assertion DateTime */
    {0x00440105u, 'X', "    KC   "}, /* Assertion Expiration DateTime */
    {0x0050001Bu, 'X', "         "}, /* Container Component ID */
    {0x00500020u, 'X', " K       "}, /* Device Description */
    {0x00500021u, 'X', "      C  "}, /* Long Device Description */
    {0x00620021u, 'U', "K        "}, /* Tracking UID */
    {0x00640003u, 'U', "K        "}, /* Source Frame of Reference UID */
    {0x00686226u, 'D', "    KC   "}, /* Effective DateTime */
    {0x00686270u, 'D', "    KC   "}, /* Information Issue DateTime */
    {0x006A0003u, 'D', "K        "}, /* Annotation Group UID */
    {0x006A0005u, 'D', "      C  "}, /* Annotation Group Label */
    {0x006A0006u, 'X', "      C  "}, /* Annotation Group Description */
    {0x00700001u, 'D', "        C"}, /* Graphic Annotation Sequence */
    {0x00700082u, 'X', "    KC   "}, /* Presentation Creation Date */
    {0x00700083u, 'X', "    KC   "}, /* Presentation Creation Time */
    {0x00700084u, 'D', "         "}, /* Content Creator's Name */
    {0x00700086u, 'X', "         "}, /* Content Creator's Identification Code Sequence */
    {0x0070031Au, 'U', "K        "}, /* Fiducial UID */
    {0x00701101u, 'U', "K        "}, /* Presentation Display Collection UID */
    {0x00701102u, 'U', "K        "}, /* Presentation Sequence Collection UID */
    {0x0072000Au, 'D', "    KC   "}, /* Hanging Protocol Creation DateTime */
    {0x0072005Eu, 'D', " C       "}, /* Selector AE Value */
    {0x0072005Fu, 'D', "   K     "}, /* Selector AS Value */
    {0x00720061u, 'D', "    KC   "}, /* Selector DA Value */
    {0x00720063u, 'D', "    KC   "}, /* Selector DT Value */
    {0x00720065u, 'D', "         "}, /* Selector OB Value */
    {0x00720066u, 'D', "      C  "}, /* Selector LO Value */
    {0x00720068u, 'D', "      C  "}, /* Selector LT Value */
    {0x0072006Au, 'D', "         "}, /* Selector PN Value */
    {0x0072006Bu, 'D', "    KC   "}, /* Selector TM Value */
    {0x0072006Cu, 'D', "      C  "}, /* Selector SH Value */
    {0x0072006Du, 'D', "         "}, /* Selector UN Value */
    {0x0072006Eu, 'D', "      C  "}, /* Selector ST Value */
    {0x00720070u, 'D', "      C  "}, /* Selector UT Value */
    {0x00720071u, 'D', "         "}, /* Selector UR Value */
    {0x00741234u, 'X', " C       "}, /* Receiving AE */
    {0x00741236u, 'X', " C       "}, /* Requesting AE */
    {0x00880140u, 'U', "K        "}, /* Storage Media File-set UID */
    {0x00880200u, 'X', "         "}, /* Icon Image Sequence (see Note 11) */
    {0x00880904u, 'X', "         "}, /* Topic Title */
    {0x00880906u, 'X', "         "}, /* Topic Subject */
    {0x00880910u, 'X', "         "}, /* Topic Author */
    {0x00880912u, 'X', "         "}, /* Topic Keywords */
    {0x01000420u, 'X', "    KC   "}, /* SOP Authorization DateTime */
    {0x04000100u, 'U', "         "}, /* Digital Signature UID */
    {0x04000105u, 'D', "    KC   "}, /* Digital Signature DateTime */
    {0x04000115u, 'D', "         "}, /* Certificate of Signer */
    {0x04000310u, 'X', "    KC   "}, /* Certified Timestamp */
    {0x04000402u, 'X', "         "}, /* Referenced Digital Signature Sequence */
    {0x04000403u, 'X', "         "}, /* Referenced SOP Instance MAC Sequence */
    {0x04000404u, 'X', "         "}, /* MAC */
    {0x04000550u, 'X', "         "}, /* Modified Attributes Sequence */
    {0x04000551u, 'X', "         "}, /* Nonconforming Modified Attributes Sequence */
    {0x04000552u, 'X', "         "}, /* Nonconforming Data Element Value */
    {0x04000561u, 'X', "         "}, /* Original Attributes Sequence */
    {0x04000562u, 'D', "    KC   "}, /* Attribute Modification DateTime */
    {0x04000563u, 'D', " K       "}, /* Modifying System */
    {0x04000564u, 'Z', "  K      "}, /* Source of Previous Values */
    {0x04000565u, 'D', "      C  "}, /* Reason for the Attribute Modification */
    {0x04000600u, 'X', "         "}, /* Instance Origin Status */
    {0x20300020u, 'X', "         "}, /* Text String */
    {0x21000040u, 'X', "    KC   "}, /* Creation Date */
    {0x21000050u, 'X', "    KC   "}, /* Creation Time */
    {0x21000070u, 'X', " C       "}, /* Originator */
    {0x21000140u, 'D', " C       "}, /* Destination AE */
    {0x22000002u, 'Z', "      C  "}, /* Label Text */
    {0x22000005u, 'Z', "         "}, /* Barcode Value */
    {0x30020121u, 'X', "      C  "}, /* Position Acquisition Template Name */
    {0x30020123u, 'X', "      C  "}, /* Position Acquisition Template Description */
    {0x30060002u, 'D', "      C  "}, /* Structure Set Label */
    {0x30060004u, 'X', "      C  "}, /* Structure Set Name */
    {0x30060006u, 'X', "      C  "}, /* Structure Set Description */
    {0x30060008u, 'Z', "    KC   "}, /* Structure Set Date */
    {0x30060009u, 'Z', "    KC   "}, /* Structure Set Time */
    {0x30060024u, 'U', "K        "}, /* Referenced Frame of Reference UID */
    {0x30060026u, 'Z', "      C  "}, /* ROI Name */
    {0x30060028u, 'X', "      C  "}, /* ROI Description */
    {0x3006002Du, 'X', "    KC   "}, /* ROI DateTime */
    {0x3006002Eu, 'X', "    KC   "}, /* ROI Observation DateTime */
    {0x30060038u, 'X', "      C  "}, /* ROI Generation Description */
    {0x3006004Du, 'X', "         "}, /* ROI Creator Sequence */
    {0x3006004Eu, 'X', "         "}, /* ROI Interpreter Sequence */
    {0x30060085u, 'X', "      C  "}, /* ROI Observation Label */
    {0x30060088u, 'X', "      C  "}, /* ROI Observation Description */
    {0x300600A6u, 'Z', "         "}, /* ROI Interpreter */
    {0x300600C2u, 'U', "K        "}, /* Related Frame of Reference UID */
    {0x30080024u, 'D', "    KC   "}, /* Treatment Control Point Date */
    {0x30080025u, 'D', "    KC   "}, /* Treatment Control Point Time */
    {0x30080054u, 'D', "    KC   "}, /* First Treatment Date */
    {0x30080056u, 'D', "    KC   "}, /* Most Recent Treatment Date */
    {0x30080105u, 'Z', " K       "}, /* Source Serial Number */
    {0x30080162u, 'D', "    KC   "}, /* Safe Position Exit Date */
    {0x30080164u, 'D', "    KC   "}, /* Safe Position Exit Time */
    {0x30080166u, 'D', "    KC   "}, /* Safe Position Return Date */
    {0x30080168u, 'D', "    KC   "}, /* Safe Position Return Time */
    {0x30080250u, 'D', "    KC   "}, /* Treatment Date */
    {0x30080251u, 'D', "    KC   "}, /* Treatment Time */
    {0x300A0002u, 'D', "      C  "}, /* RT Plan Label */
    {0x300A0003u, 'X', "      C  "}, /* RT Plan Name */
    {0x300A0004u, 'X', "      C  "}, /* RT Plan Description */
    {0x300A0006u, 'D', "    KC   "}, /* RT Plan Date */
    {0x300A0007u, 'D', "    KC   "}, /* RT Plan Time */
    {0x300A000Bu, 'X', "      C  "}, /* Treatment Sites */
    {0x300A000Eu, 'X', "      C  "}, /* Prescription Description */
    {0x300A0013u, 'U', "K        "}, /* Dose Reference UID */
    {0x300A0016u, 'X', "      C  "}, /* Dose Reference Description */
    {0x300A0072u, 'X', "      C  "}, /* Fraction Group Description */
    {0x300A0083u, 'U', "K        "}, /* Referenced Dose Reference UID */
    {0x300A00B2u, 'Z', " K       "}, /* Treatment Machine Name */
    {0x300A00C3u, 'X', "      C  "}, /* Beam Description */
    {0x300A00DDu, 'X', "      C  "}, /* Bolus Description */
    {0x300A0196u, 'X', "      C  "}, /* Fixation Device Description */
    {0x300A01A6u, 'X', "      C  "}, /* Shielding Device Description */
    {0x300A01B2u, 'X', "      C  "}, /* Setup Technique Description */
    {0x300A0216u, 'X', " K       "}, /* Source Manufacturer */
    {0x300A022Cu, 'D', "    KC   "}, /* Source Strength Reference Date */
    {0x300A022Eu, 'D', "    KC   "}, /* Source Strength Reference Time */
    {0x300A02EBu, 'X', "      C  "}, /* Compensator Description */
    {0x300A0608u, 'D', "      C  "}, /* Treatment Position Group Label */
    {0x300A0609u, 'U', "K        "}, /* Treatment Position Group UID */
    {0x300A0611u, 'Z', "         "}, /* RT Accessory Holder Slot ID */
    {0x300A0615u, 'Z', "         "}, /* RT Accessory Device Slot ID */
    {0x300A0619u, 'D', "      C  "}, /* Radiation Dose Identification Label */
    {0x300A0623u, 'D', "      C  "}, /* Radiation Dose In-Vivo Measurement Label */
    {0x300A062Au, 'D', "      C  "}, /* RT Tolerance Set Label */
    {0x300A0650u, 'U', "K        "}, /* Patient Setup UID */
    {0x300A0676u, 'X', "      C  "}, /* Equipment Frame of Reference Description */
    {0x300A067Cu, 'D', "      C  "}, /* Radiation Generation Mode Label */
    {0x300A067Du, 'Z', "      C  "}, /* Radiation Generation Mode Description */
    {0x300A0700u, 'U', "K        "}, /* Treatment Session UID */
    {0x300A0734u, 'D', "      C  "}, /* Treatment Tolerance Violation Description */
    {0x300A0736u, 'D', "    KC   "}, /* Treatment Tolerance Violation DateTime */
    {0x300A073Au, 'D', "    KC   "}, /* Recorded RT Control Point DateTime */
    {0x300A0741u, 'D', "    KC   "}, /* Interlock DateTime */
    {0x300A0742u, 'D', "      C  "}, /* Interlock Description */
    {0x300A0760u, 'D', "    KC   "}, /* Override DateTime */
    {0x300A0783u, 'D', "      C  "}, /* Interlock Origin Description */
    {0x300A0785u, 'U', "K        "}, /* Referenced Treatment Position Group UID */
    {0x300A078Eu, 'X', "      C  "}, /* Patient Treatment Preparation Procedure Parameter Description */
    {0x300A0792u, 'X', "      C  "}, /* Patient Treatment Preparation Method Description */
    {0x300A0794u, 'X', "      C  "}, /* Patient Setup Photo Description */
    {0x300A079Au, 'X', "      C  "}, /* Displacement Reference Label */
    {0x300C0113u, 'X', "      C  "}, /* Reason for Omission Description */
    {0x300C0127u, 'D', " K  KC   "}, /* Beam Hold Transition DateTime */
    {0x300E0004u, 'Z', "    KC   "}, /* Review Date */
    {0x300E0005u, 'Z', "    KC   "}, /* Review Time */
    {0x300E0008u, 'Z', "         "}, /* Reviewer Name */
    {0x30100006u, 'U', "K        "}, /* Conceptual Volume UID */
    {0x3010000Bu, 'U', "K        "}, /* Referenced Conceptual Volume UID */
    {0x3010000Fu, 'Z', "      C  "}, /* Conceptual Volume Combination Description */
    {0x30100013u, 'U', "K        "}, /* Constituent Conceptual Volume UID */
    {0x30100015u, 'U', "K        "}, /* Source Conceptual Volume UID */
    {0x30100017u, 'Z', "      C  "}, /* Conceptual Volume Description */
    {0x3010001Bu, 'Z', "         "}, /* Device Alternate Identifier */
    {0x3010002Du, 'D', " K       "}, /* Device Label */
    {0x30100031u, 'U', "K        "}, /* Referenced Fiducials UID */
    {0x30100033u, 'D', "      C  "}, /* User Content Label */
    {0x30100034u, 'D', "      C  "}, /* User Content Long Label */
    {0x30100035u, 'D', "      C  "}, /* Entity Label */
    {0x30100036u, 'X', "      C  "}, /* Entity Name */
    {0x30100037u, 'X', "      C  "}, /* Entity Description */
    {0x30100038u, 'D', "      C  "}, /* Entity Long Label */
    {0x3010003Bu, 'U', "K        "}, /* RT Treatment Phase UID */
    {0x30100043u, 'Z', " K       "}, /* Manufacturer's Device Identifier */
    {0x3010004Cu, 'D', "    KC   "}, /* Intended Phase Start Date */
    {0x3010004Du, 'D', "    KC   "}, /* Intended Phase End Date */
    {0x30100054u, 'D', "      C  "}, /* RT Prescription Label */
    {0x30100056u, 'D', "      C  "}, /* RT Treatment Approach Label */
    {0x3010005Au, 'Z', "      C  "}, /* RT Physician Intent Narrative */
    {0x3010005Cu, 'Z', "      C  "}, /* Reason for Superseding */
    {0x30100061u, 'X', "      C  "}, /* Prior Treatment Dose Description */
    {0x3010006Eu, 'U', "K        "}, /* Dosimetric Objective UID */
    {0x3010006Fu, 'U', "K        "}, /* Referenced Dosimetric Objective UID */
    {0x30100077u, 'D', "      C  "}, /* Treatment Site */
    {0x3010007Au, 'Z', "      C  "}, /* Treatment Technique Notes */
    {0x3010007Bu, 'Z', "      C  "}, /* Prescription Notes */
    {0x3010007Fu, 'Z', "      C  "}, /* Fractionation Notes */
    {0x30100081u, 'Z', "      C  "}, /* Prescription Notes Sequence */
    {0x30100085u, 'X', "    KC   "}, /* Intended Fraction Start Time */
    {0x40000010u, 'X', "         "}, /* Arbitrary */
    {0x40004000u, 'X', "         "}, /* Text Comments */
    {0x40080040u, 'X', "         "}, /* Results ID */
    {0x40080042u, 'X', "         "}, /* Results ID Issuer */
    {0x40080100u, 'X', "    KC   "}, /* Interpretation Recorded Date */
    {0x40080101u, 'X', "    KC   "}, /* Interpretation Recorded Time */
    {0x40080102u, 'X', "         "}, /* Interpretation Recorder */
    {0x40080108u, 'X', "    KC   "}, /* Interpretation Transcription Date */
    {0x40080109u, 'X', "    KC   "}, /* Interpretation Transcription Time */
    {0x4008010Au, 'X', "         "}, /* Interpretation Transcriber */
    {0x4008010Bu, 'X', "      C  "}, /* Interpretation Text */
    {0x4008010Cu, 'X', "         "}, /* Interpretation Author */
    {0x40080111u, 'X', "         "}, /* Interpretation Approver Sequence */
    {0x40080112u, 'X', "    KC   "}, /* Interpretation Approval Date */
    {0x40080113u, 'X', "    KC   "}, /* Interpretation Approval Time */
    {0x40080114u, 'X', "         "}, /* Physician Approving Interpretation */
    {0x40080115u, 'X', "      C  "}, /* Interpretation Diagnosis Description */
    {0x40080118u, 'X', "         "}, /* Results Distribution List Sequence */
    {0x40080119u, 'X', "         "}, /* Distribution Name */
    {0x4008011Au, 'X', "         "}, /* Distribution Address */
    {0x40080200u, 'X', "         "}, /* Interpretation ID */
    {0x40080202u, 'X', "         "}, /* Interpretation ID Issuer */
    {0x40080300u, 'X', "      C  "}, /* Impressions */
    {0x40084000u, 'X', "      C  "}, /* Results Comments */
    {0x50000000u, 'X', "        C"}, /* Curve Data */
    {0x60003000u, 'X', "        C"}, /* Overlay Data */
    {0x60004000u, 'X', "        C"}, /* Overlay Comments */
    {0xFFFAFFFAu, 'X', "         "}, /* Digital Signatures Sequence */
    {0xFFFCFFFCu, 'X', "         "}, /* Data Set Trailing Padding */
};
/* clang-format on */
const int dcm_confidentiality_rows = sizeof dcm_confidentiality_table / sizeof *dcm_confidentiality_table;
